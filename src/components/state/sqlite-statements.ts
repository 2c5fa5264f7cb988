/** Dapr's table layout. Times are UTC text, which compares as time does; a value is a BLOB of the bytes as they came. */
export function sqliteStatements(table: string) {
  const columns = 'key, value, is_binary, etag, expiration_time, update_time';
  const values = 'VALUES (?, ?, 0, ?, ?, CURRENT_TIMESTAMP)';
  const overwrite = `value = excluded.value, is_binary = 0, etag = excluded.etag,
    expiration_time = excluded.expiration_time, update_time = CURRENT_TIMESTAMP`;
  const live = '(expiration_time IS NULL OR expiration_time > ?)';
  return {
    create: `
      CREATE TABLE IF NOT EXISTS ${table} (
        key TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL,
        is_binary BOOLEAN NOT NULL,
        etag TEXT NOT NULL,
        expiration_time TIMESTAMP DEFAULT NULL,
        update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
      );
      CREATE INDEX IF NOT EXISTS ${table}_expiration ON ${table} (expiration_time) WHERE expiration_time IS NOT NULL;`,
    get: `SELECT value, is_binary, etag, expiration_time FROM ${table} WHERE key = ?`,
    put: `INSERT INTO ${table} (${columns}) ${values} ON CONFLICT (key) DO UPDATE SET ${overwrite}`,
    // An expired row that nobody has cleaned up yet counts as absent.
    putNew: `INSERT INTO ${table} (${columns}) ${values} ON CONFLICT (key) DO UPDATE SET ${overwrite}
      WHERE ${table}.expiration_time IS NOT NULL AND ${table}.expiration_time <= ?`,
    putMatching: `UPDATE ${table} SET value = ?, is_binary = 0, etag = ?, expiration_time = ?, update_time = CURRENT_TIMESTAMP
      WHERE key = ? AND etag = ? AND ${live}`,
    delete: `DELETE FROM ${table} WHERE key = ?`,
    deleteMatching: `DELETE FROM ${table} WHERE key = ? AND etag = ? AND ${live}`,
    // In portions, so that no cleanup holds the write lock for long.
    expire: `DELETE FROM ${table} WHERE key IN (
      SELECT key FROM ${table} WHERE expiration_time IS NOT NULL AND expiration_time <= ? LIMIT 1000)`,
  };
}

/** @returns milliseconds since the epoch as `2026-01-31 23:59:59.999` */
export function toSqlTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').slice(0, -1);
}

/** @returns milliseconds since the epoch */
export function fromSqlTime(text: string): number {
  return Date.parse(`${text.replace(' ', 'T').replace(/Z$/, '')}Z`);
}
