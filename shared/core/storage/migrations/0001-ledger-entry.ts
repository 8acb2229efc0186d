import type { Migration } from '../database.ts'

/**
 * The audit log. The triggers make it append-only for everyone who goes through SQL, `INSERT OR REPLACE` included
 * (which fires no DELETE trigger); what goes around them, the hash chain shows.
 */
export const ledgerEntry: Migration = {
  version: 1,
  sql: `
    CREATE TABLE entry (
      sequence INTEGER PRIMARY KEY,
      at INTEGER NOT NULL,
      kind TEXT NOT NULL,
      session_id TEXT,
      body TEXT NOT NULL,
      previous_hash TEXT NOT NULL,
      hash TEXT NOT NULL
    ) STRICT;
    CREATE INDEX entry_by_session ON entry (session_id) WHERE session_id IS NOT NULL;
    CREATE TRIGGER entry_insert BEFORE INSERT ON entry
      WHEN NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM entry)
      BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: a new entry takes the next number'); END;
    CREATE TRIGGER entry_update BEFORE UPDATE ON entry
      BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: entries are never changed'); END;
    CREATE TRIGGER entry_delete BEFORE DELETE ON entry
      BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: entries are never removed'); END;
  `,
}
