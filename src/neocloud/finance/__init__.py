"""Finance: cash, debt and statements by month; what cover they leave, and what breaks first."""
