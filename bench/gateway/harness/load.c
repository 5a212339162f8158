/* Load generator, one thread, epoll. Prints one line of JSON.
 * load -P port [-p path] -b bodyfile [-k key] [-c connections] [-d seconds] [-w warm-up seconds] [-r requests/s in all]
 * -e: stop at the first connection that is refused (the gateway died), and report.
 * Each connection sends, reads the whole answer, sends again (or waits for its turn with -r).
 * Times are in microseconds. age: how old a chunk is when it arrives (the mock writes T<ns> into each).
 * An answer counts as complete when it is 200 and, if it streams, ended with [DONE]. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUF = 1 << 18 };
typedef struct {
    int fd, state; /* 0 idle, 1 headers, 2 body */
    char head[16384]; int nhead;
    long left; int chunked, cstate, status, sse, done, usage; long csize;
    char line[65536]; int nline;
    long t0, t1; int nout;
} Conn;
typedef struct { float *v; long n, cap; } Samples;
static Samples lat, ttfb, age;
static long complete, bad, events, bytes, usages, reconnects; static int measuring;
static int until_refused, refused; static char *request; static int nrequest; static struct sockaddr_in addr; static int ep;

static long now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000L + t.tv_nsec; }
static void add(Samples *s, double x) { if (s->n == s->cap) s->v = realloc(s->v, sizeof(float) * (s->cap = s->cap ? 2 * s->cap : 1 << 16)); s->v[s->n++] = x; }
static int cmp(const void *a, const void *b) { float x = *(float *)a, y = *(float *)b; return (x > y) - (x < y); }
static void show(const char *name, Samples *s) {
    qsort(s->v, s->n, sizeof(float), cmp);
    double sum = 0; for (long i = 0; i < s->n; i++) sum += s->v[i];
#define Q(q) (s->n ? s->v[(long)((s->n - 1) * q)] : 0)
    printf(",\"%s\":{\"n\":%ld,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f}", name, s->n, s->n ? sum / s->n : 0, Q(.5), Q(.9), Q(.99), Q(.999));
}
static void dial(Conn *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (void *)&addr, sizeof addr)) { if (until_refused) { refused = 1; return; } perror("connect"); exit(2); }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {EPOLLIN, {.ptr = c}}; epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    c->state = 0;
}
static void ask(Conn *c) {
    c->t0 = now(); c->t1 = 0; c->state = 1; c->nhead = c->nline = 0; c->done = c->usage = c->status = c->sse = 0; c->cstate = 0; c->csize = 0;
    if (send(c->fd, request, nrequest, MSG_NOSIGNAL) != nrequest) { close(c->fd); dial(c); bad++; reconnects++; }
}
static void line(Conn *c, char *s, int n, long t) {
    if (n < 6 || memcmp(s, "data: ", 6)) return;
    if (n >= 12 && !memcmp(s + 6, "[DONE]", 6)) { c->done = 1; return; }
    if (!measuring) return;
    events++;
    char *p = memmem(s, n, "\"content\":\"T", 12);
    if (p) add(&age, (t - strtol(p + 12, 0, 10)) / 1e3);
    else if (memmem(s, n, "\"usage\":{", 9)) c->usage = 1;
}
static void body(Conn *c, char *s, int n, long t) {
    if (measuring) bytes += n;
    if (!c->sse) return;
    while (n) {
        char *e = memchr(s, '\n', n); int m = e ? e - s + 1 : n;
        if (!c->nline && e) line(c, s, m, t);
        else {
            if (c->nline + m > (int)sizeof c->line) c->nline = 0;
            memcpy(c->line + c->nline, s, m); c->nline += m;
            if (e) { line(c, c->line, c->nline, t); c->nline = 0; }
        }
        s += m; n -= m;
    }
}
static void finish(Conn *c, long t, int closing) {
    if (measuring) {
        if (c->status == 200 && (!c->sse || c->done)) { complete++; add(&lat, (t - c->t0) / 1e3); usages += c->usage; add(&ttfb, (c->t1 - c->t0) / 1e3); } else bad++;
    }
    c->state = 0;
    if (closing) { close(c->fd); dial(c); reconnects++; }
}
static char key[512] = "sk-test", path[256] = "/v1/chat/completions";
int main(int argc, char **argv) {
    int o, nc = 32, port = 9101; double secs = 5, warm = 1, rate = 0; char *bodyfile = 0;
    while ((o = getopt(argc, argv, "P:p:b:k:c:d:w:r:e")) != -1) switch (o) {
        case 'P': port = atoi(optarg); break; case 'p': strcpy(path, optarg); break; case 'b': bodyfile = optarg; break;
        case 'k': strcpy(key, optarg); break; case 'c': nc = atoi(optarg); break; case 'd': secs = atof(optarg); break;
        case 'w': warm = atof(optarg); break; case 'r': rate = atof(optarg); break; case 'e': until_refused = 1; break; default: return 2;
    }
    static char text[1 << 20], buf[BUF];
    FILE *f = fopen(bodyfile, "r"); if (!f) { perror(bodyfile); return 2; }
    int n = fread(text, 1, sizeof text, f);
    while (n && text[n - 1] == '\n') n--;
    nrequest = asprintf(&request, "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%d\r\ncontent-type: application/json\r\nauthorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%.*s", path, port, key, n, n, text);
    addr.sin_family = AF_INET; addr.sin_port = htons(port); addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct rlimit rl = {65535, 65535}; setrlimit(RLIMIT_NOFILE, &rl); signal(SIGPIPE, SIG_IGN); ep = epoll_create1(0);
    Conn *cs = calloc(nc, sizeof(Conn));
    for (int i = 0; i < nc; i++) dial(cs + i);
    long start = now(), t = start, from = start + warm * 1e9, to = from + secs * 1e9, issued = 0; int started = 0;
    struct epoll_event evs[256];
    while (t < to && !refused) {
        if (!measuring && t >= from) measuring = 1;
        if (rate > 0) {
            for (int i = 0; i < nc && start + (long)(issued * 1e9 / rate) <= t; i++)
                if (!cs[i].state) { ask(cs + i); issued++; }
        } else while (started < nc && start + (long)(warm * .5e9 * started / nc) <= t) ask(cs + started++); /* staggered */
        long next = to;
        if (rate > 0) { long d = start + (long)(issued * 1e9 / rate); if (d < next) next = d; }
        else if (started < nc) { long d = start + (long)(warm * .5e9 * started / nc); if (d < next) next = d; }
        if (!measuring && from < next) next = from;
        long d = next - now(); if (d < 0) d = rate > 0 ? 100000 : 0;
        struct timespec ts = {d / 1000000000L, d % 1000000000L};
        int k = epoll_pwait2(ep, evs, 256, &ts, 0);
        t = now();
        for (int i = 0; i < k; i++) {
            Conn *c = evs[i].data.ptr;
            ssize_t r = recv(c->fd, buf, BUF, MSG_DONTWAIT);
            if (r < 0 && errno == EAGAIN) continue;
            if (r <= 0) { if (c->state == 2 && c->left == -1 && !c->chunked) finish(c, t, 1); else { if (c->state && measuring) bad++; close(c->fd); dial(c); reconnects++; } if (rate <= 0 && !refused) ask(c); continue; }
            char *s = buf;
            t = now();
            if (c->state == 1) {
                if (!c->t1) c->t1 = t;
                int m = r < (int)sizeof c->head - 1 - c->nhead ? r : (int)sizeof c->head - 1 - c->nhead, before = c->nhead;
                memcpy(c->head + c->nhead, s, m); c->nhead += m; c->head[c->nhead] = 0;
                char *e = strstr(c->head, "\r\n\r\n");
                if (!e) continue;
                int used = e + 4 - c->head - before; s += used; r -= used; e[2] = 0;
                c->status = atoi(c->head + 9);
                char *cl = strcasestr(c->head, "\r\ncontent-length:");
                c->chunked = strcasestr(c->head, "\r\ntransfer-encoding: chunked") != 0;
                c->sse = strcasestr(c->head, "text/event-stream") != 0;
                c->left = cl ? atol(cl + 17) : -1; c->state = 2;
            }
            if (c->state == 2) {
                if (c->chunked) while (r > 0 && c->state == 2) {
                    if (c->cstate == 0) { /* size line */
                        char ch = *s++; r--;
                        if (ch == '\n') { c->cstate = c->csize ? 1 : 3; }
                        else if (ch != '\r') { int v = ch <= '9' ? ch - '0' : (ch | 32) - 'a' + 10; if (v >= 0 && v < 16) c->csize = c->csize * 16 + v; }
                    } else if (c->cstate == 1) {
                        int m = r < c->csize ? r : c->csize;
                        body(c, s, m, t); s += m; r -= m; c->csize -= m;
                        if (!c->csize) c->cstate = 2;
                    } else if (c->cstate == 2) { if (*s++ == '\n') c->cstate = 0; r--; }
                    else { if (*s++ == '\n') finish(c, t, 0); r--; }
                } else {
                    body(c, s, r, t);
                    if (c->left >= 0 && (c->left -= r) <= 0) finish(c, t, strcasestr(c->head, "connection: close") != 0);
                }
                if (c->state == 0 && rate <= 0) ask(c);
            }
        }
    }
    printf("{\"connections\":%d,\"seconds\":%.2f,\"complete\":%ld,\"bad\":%ld,\"reconnects\":%ld,\"requests_s\":%.1f,\"events_s\":%.1f,\"mb_s\":%.2f,\"usage\":%ld", nc, secs, complete, bad, reconnects, complete / secs, events / secs, bytes / secs / 1e6, usages);
    show("latency", &lat); show("ttfb", &ttfb); show("age", &age); puts("}");
}
