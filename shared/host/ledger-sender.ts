import '../core/ledger/sender-thread.ts'
