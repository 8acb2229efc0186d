import { ledgerEntry } from './0001-ledger-entry.ts'
import { bodyHash } from './0002-body-hash.ts'
import { sessionBlock } from './0003-session-block.ts'

/** The ledger database's history, oldest first. A released migration is never edited: a change is a new one. */
export const ledgerMigrations = [ledgerEntry, bodyHash, sessionBlock]
