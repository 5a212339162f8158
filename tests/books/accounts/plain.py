"""The accounts once more, plainly: dictionaries in memory that are copied and put back."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from neocloud.books.accounts import (
    Account,
    Balance,
    ConflictError,
    HoldOverError,
    Limit,
    OverdraftError,
    Posting,
    PostingKind,
)


@dataclass
class Plain:
    """What the store should do."""

    accounts: dict[str, Account]
    written: dict[str, Posting] = field(default_factory=dict)
    posted: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Debits and credits by account."""
    holds: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    """State and end of each hold."""

    def pass_time(self, now_s: int) -> None:
        for hold, (state, end) in self.holds.items():
            if state == "open" and end is not None and end <= now_s:
                self.holds[hold] = "over", end

    def post(self, now_s: int, *postings: Posting) -> None:
        self.pass_time(now_s)
        kept = copy.deepcopy((self.written, self.posted, self.holds))
        try:
            for posting in postings:
                self._post(now_s, posting)
        except Exception:
            self.written, self.posted, self.holds = kept
            raise

    def balance(self, account: str) -> Balance:
        debits, credits_ = self.posted.get(account, (0, 0))
        open_ = [self.written[hold] for hold, (state, _) in self.holds.items() if state == "open"]
        return Balance(
            debits=debits,
            credits=credits_,
            pending_debits=sum(p.pico for p in open_ if p.debit == account),
            pending_credits=sum(p.pico for p in open_ if p.credit == account),
        )

    def _post(self, now_s: int, p: Posting) -> None:
        if p.id in self.written:
            if self.written[p.id] != p:
                raise ConflictError
            return
        if p.kind in (PostingKind.POST, PostingKind.HOLD):
            self._check(p)
            if p.kind is PostingKind.POST:
                self._move(p.debit, p.credit, p.pico)
            else:
                self.holds[p.id] = "open", (now_s + p.timeout_s if p.timeout_s else None)
        else:
            self._end(p)
        self.written[p.id] = p

    def _end(self, p: Posting) -> None:
        if p.hold not in self.holds or p.debit or p.credit or p.timeout_s:
            raise ConflictError
        hold = self.written[p.hold]
        settles = p.kind is PostingKind.SETTLE
        if p.pico < 0 or p.pico > (hold.pico if settles else 0):
            raise ConflictError
        if self.holds[p.hold][0] != "open":
            raise HoldOverError
        self.holds[p.hold] = "ended", None
        if settles:
            self._move(hold.debit, hold.credit, p.pico or hold.pico)

    def _check(self, p: Posting) -> None:
        debit, credit = self.accounts.get(p.debit), self.accounts.get(p.credit)
        if debit is None or credit is None or debit == credit or debit.currency != credit.currency:
            raise ConflictError
        if p.pico <= 0 or p.hold or (p.timeout_s and p.kind is PostingKind.POST):
            raise ConflictError
        from_, to = self.balance(debit.id), self.balance(credit.id)
        if (
            debit.limit is Limit.DEBITS_WITHIN_CREDITS
            and from_.debits + from_.pending_debits + p.pico > from_.credits
        ):
            raise OverdraftError
        if (
            credit.limit is Limit.CREDITS_WITHIN_DEBITS
            and to.credits + to.pending_credits + p.pico > to.debits
        ):
            raise OverdraftError

    def _move(self, debit: str, credit: str, pico: int) -> None:
        debits, credits_ = self.posted.get(debit, (0, 0))
        self.posted[debit] = debits + pico, credits_
        debits, credits_ = self.posted.get(credit, (0, 0))
        self.posted[credit] = debits, credits_ + pico
