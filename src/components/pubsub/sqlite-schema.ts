import type Database from 'libsql';

const SCHEMA_VERSION = 1;

/**
 * A message is written once, whatever the number of groups. A group's `cursor` is the last message that it was handed; what it was
 * handed and has not acknowledged stands in `inflight`, claimable again from `due_at` on: the end of a lease, or of a pause after a failure.
 */
const TABLES = `
  CREATE TABLE topics (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    messages INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id INTEGER NOT NULL,
    data BLOB NOT NULL,
    content_type TEXT NOT NULL,
    metadata TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    expires_at INTEGER
  );
  CREATE INDEX messages_topic ON messages (topic_id, id);
  CREATE INDEX messages_expiry ON messages (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE consumer_groups (
    id INTEGER PRIMARY KEY,
    topic_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    UNIQUE (topic_id, name)
  );
  CREATE TABLE inflight (
    group_id INTEGER NOT NULL,
    message_id INTEGER NOT NULL,
    owner TEXT,
    due_at INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    PRIMARY KEY (group_id, message_id)
  ) WITHOUT ROWID;
  CREATE INDEX inflight_due ON inflight (group_id, due_at);
  CREATE INDEX inflight_message ON inflight (message_id);
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/**
 * Creates the tables when the file is new; runs inside a write transaction, so that of two processes that come at once only one does.
 * @throws Error when the file was written by a newer version, or is not a broker's
 */
export function createSchema(db: Database.Database, path: string): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get([]) as { user_version: number };
  if (version === SCHEMA_VERSION) return;
  if (version !== 0)
    throw new Error(
      `${path} has schema version ${version}, this Weft knows ${SCHEMA_VERSION}; update Weft or move the file away`,
    );
  const foreign = db.prepare("SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 1").get([]) as
    | { name: string }
    | undefined;
  if (foreign)
    throw new Error(`${path} holds a table ${foreign.name} and is not a message broker's file; name another connectionString`);
  db.exec(TABLES);
}
