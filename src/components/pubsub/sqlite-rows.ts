import type Database from 'libsql';
import type { Message, PublishRequest } from '../../blocks/pubsub/contract.js';
import type { SqliteBrokerOptions } from './sqlite-options.js';

export interface Group {
  readonly id: number;
  readonly topicId: number;
  readonly topic: string;
}

/** A message that was handed to this consumer. */
export interface Claimed {
  readonly id: number;
  readonly attempt: number;
  readonly message: Message;
}

export interface ClaimRequest {
  readonly group: Group;
  /** Who holds the lease. */
  readonly owner: string;
  readonly limit: number;
}

interface TopicState {
  readonly id: number;
  messages: number;
  /** Someone will read it: a group, or retention. */
  readonly heard: boolean;
  added: number;
}

interface MessageRow {
  readonly id: number;
  /** The driver gives one kind from `get` and the other from `all`. */
  readonly data: Buffer | ArrayBuffer;
  readonly content_type: string;
  readonly metadata: string;
  readonly expires_at: number | null;
}

/** A publish that is refused for a reason of its own; the others of the same transaction are not touched by it. */
export class Refused extends Error {}

type Limits = Pick<SqliteBrokerOptions, 'maxLength' | 'retention' | 'processingTimeout' | 'consumerExpiry'>;

/** The broker's statements. Every writing method runs inside a transaction between `begin` and `end`. Times: milliseconds since the epoch. */
export class BrokerRows {
  readonly #sql: ReturnType<typeof statements>;
  readonly #limits: Limits;
  readonly #now: () => number;
  /** What this transaction knows of topics: read once, the count written once. */
  readonly #topics = new Map<string, TopicState>();

  constructor(db: Database.Database, limits: Limits, now: () => number) {
    this.#sql = statements(db);
    this.#limits = limits;
    this.#now = now;
  }

  begin(): void {
    this.#topics.clear();
  }

  end(): void {
    for (const topic of this.#topics.values()) if (topic.added !== 0) this.#sql.count.run([topic.added, topic.id]);
  }

  /** @throws Refused when the topic is full */
  publish({ topic: name, data, contentType, metadata }: PublishRequest, ttlMs: number | undefined): void {
    const topic = this.#topic(name);
    if (!topic.heard) return;
    if (topic.messages + topic.added >= this.#limits.maxLength) this.#makeRoom(name, topic);
    const now = this.#now();
    const expiresAt = ttlMs === undefined ? null : now + ttlMs;
    this.#sql.insert.run([topic.id, data, contentType, JSON.stringify(metadata), now, expiresAt]);
    topic.added++;
  }

  /** Creates the group when it is new, from now on or from what retention has kept; says that it lives. */
  group(topicName: string, consumerId: string): Group {
    const { id: topicId } = this.#topic(topicName);
    const now = this.#now();
    const from = this.#limits.retention > 0 ? 0 : this.#lastId();
    this.#sql.addGroup.run([topicId, consumerId, from, now]);
    this.#sql.seen.run([now, topicId, consumerId]);
    const row = this.#sql.group.get([topicId, consumerId]) as { id: number };
    this.#topics.delete(topicName);
    return { id: row.id, topicId, topic: topicName };
  }

  /** Reads only. @returns whether there is something to claim now, else when something may be, undefined: not before a publish */
  outlook(group: Group): { readonly ready: boolean; readonly dueAt?: number } {
    const row = this.#sql.outlook.get([group.id, group.topicId, group.id]) as { due: number | null; fresh: number };
    return { ready: row.fresh === 1 || (row.due !== null && row.due <= this.#now()), dueAt: row.due ?? undefined };
  }

  /** Hands messages to a consumer, failed and forsaken ones first, each group's in the order of publishing. */
  claim({ group, owner, limit }: ClaimRequest): Claimed[] {
    const now = this.#now();
    const until = now + this.#limits.processingTimeout;
    const claimed: Claimed[] = [];
    for (const { message_id: id, attempt } of this.#sql.due.all([group.id, now, limit]) as {
      message_id: number;
      attempt: number;
    }[]) {
      const row = this.#sql.message.get([id]) as MessageRow | undefined;
      if (!row || isOver(row, now)) this.#sql.forget.run([group.id, id]);
      else {
        this.#sql.lease.run([owner, until, group.id, id]);
        claimed.push({ id, attempt: attempt + 1, message: messageOf(row, group.topic, attempt + 1) });
      }
    }
    if (claimed.length < limit) claimed.push(...this.#claimFresh({ group, owner, limit: limit - claimed.length }, now, until));
    return claimed;
  }

  #claimFresh({ group, owner, limit }: ClaimRequest, now: number, until: number): Claimed[] {
    const cursor = this.#sql.cursor.get([group.id]) as { cursor: number } | undefined;
    const rows = cursor ? (this.#sql.fresh.all([group.topicId, cursor.cursor, limit]) as MessageRow[]) : [];
    const last = rows.at(-1);
    if (!last) return [];
    this.#sql.advance.run([last.id, group.id]);
    const live = rows.filter((row) => !isOver(row, now));
    for (const { id } of live) this.#sql.hand.run([group.id, id, owner, until]);
    return live.map((row) => ({ id: row.id, attempt: 1, message: messageOf(row, group.topic, 1) }));
  }

  /** The consumer is done with a message, if it is still the consumer's. */
  ack(group: Group, id: number, owner: string): void {
    this.#sql.ack.run([group.id, id, owner]);
  }

  /** The message comes again at `dueAt`. */
  nack(group: Group, id: number, owner: string, dueAt: number): void {
    this.#sql.nack.run([dueAt, group.id, id, owner]);
  }

  /** Everything that `owner` holds goes back at once; an interrupted attempt does not count. */
  giveBack(group: Group, owner: string): void {
    this.#sql.giveBack.run([group.id, owner]);
  }

  /** Extends the leases of `owner`. */
  renew(group: Group, owner: string): void {
    this.#sql.renew.run([this.#now() + this.#limits.processingTimeout, group.id, owner]);
  }

  /** Says that the group has consumers. @returns false when it has been forgotten */
  seen(group: Group, consumerId: string): boolean {
    return this.#sql.seen.run([this.#now(), group.topicId, consumerId]).changes > 0;
  }

  /** Removes what nobody will read, at most `limit` messages a topic. @returns whether there may be more */
  clean(limit: number): boolean {
    const now = this.#now();
    this.#sql.dropGroups.run([now - this.#limits.consumerExpiry]);
    this.#sql.dropOrphans.run([]);
    let more = false;
    for (const { id } of this.#sql.busyTopics.all([]) as { id: number }[]) more = this.#cleanTopic(id, limit, now) || more;
    return more;
  }

  #cleanTopic(topicId: number, limit: number, now: number): boolean {
    const done = this.#sql.cleanRead.run([topicId, topicId, now - this.#limits.retention, limit]).changes;
    const over = this.#sql.cleanExpired.run([now, topicId, limit]).changes;
    if (done + over > 0) this.#sql.count.run([-(done + over), topicId]);
    return done === limit || over === limit;
  }

  #makeRoom(name: string, topic: TopicState): void {
    while (this.#cleanTopic(topic.id, 1000, this.#now()));
    const fresh = this.#sql.topic.get([name]) as { messages: number };
    topic.messages = fresh.messages;
    if (topic.messages + topic.added >= this.#limits.maxLength)
      throw new Refused(
        `topic ${name} holds ${topic.messages + topic.added} messages that consumers have not taken, as many as maxLength allows`,
      );
  }

  #topic(name: string): TopicState {
    const known = this.#topics.get(name);
    if (known) return known;
    const row = (this.#sql.topic.get([name]) ?? this.#addTopic(name)) as { id: number; messages: number; groups: number };
    const heard = row.groups > 0 || this.#limits.retention > 0;
    const topic: TopicState = { id: row.id, messages: row.messages, heard, added: 0 };
    this.#topics.set(name, topic);
    return topic;
  }

  #addTopic(name: string): unknown {
    this.#sql.addTopic.run([name]);
    return this.#sql.topic.get([name]);
  }

  #lastId(): number {
    return (this.#sql.lastId.get([]) as { seq: number } | undefined)?.seq ?? 0;
  }
}

function isOver(row: MessageRow, now: number): boolean {
  return row.expires_at !== null && row.expires_at <= now;
}

function messageOf(row: MessageRow, topic: string, attempt: number): Message {
  const metadata = JSON.parse(row.metadata) as Record<string, string>;
  const data = Buffer.isBuffer(row.data) ? row.data : Buffer.from(row.data);
  return { topic, data, contentType: row.content_type, metadata, attempt };
}

function statements(db: Database.Database) {
  const fields = 'id, data, content_type, metadata, expires_at';
  const unread = 'NOT EXISTS (SELECT 1 FROM inflight i WHERE i.message_id = m.id)';
  return {
    topic: db.prepare(
      'SELECT t.id, t.messages, EXISTS (SELECT 1 FROM consumer_groups g WHERE g.topic_id = t.id) AS groups FROM topics t WHERE t.name = ?',
    ),
    addTopic: db.prepare('INSERT OR IGNORE INTO topics (name) VALUES (?)'),
    count: db.prepare('UPDATE topics SET messages = messages + ? WHERE id = ?'),
    busyTopics: db.prepare('SELECT id FROM topics WHERE messages > 0'),
    insert: db.prepare(
      'INSERT INTO messages (topic_id, data, content_type, metadata, published_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    lastId: db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'messages'"),
    addGroup: db.prepare('INSERT OR IGNORE INTO consumer_groups (topic_id, name, cursor, seen_at) VALUES (?, ?, ?, ?)'),
    group: db.prepare('SELECT id FROM consumer_groups WHERE topic_id = ? AND name = ?'),
    seen: db.prepare('UPDATE consumer_groups SET seen_at = ? WHERE topic_id = ? AND name = ?'),
    cursor: db.prepare('SELECT cursor FROM consumer_groups WHERE id = ?'),
    advance: db.prepare('UPDATE consumer_groups SET cursor = ? WHERE id = ?'),
    outlook: db.prepare(
      `SELECT (SELECT min(due_at) FROM inflight WHERE group_id = ?) AS due,
        EXISTS (SELECT 1 FROM messages WHERE topic_id = ? AND id > (SELECT cursor FROM consumer_groups WHERE id = ?)) AS fresh`,
    ),
    due: db.prepare('SELECT message_id, attempt FROM inflight WHERE group_id = ? AND due_at <= ? ORDER BY message_id LIMIT ?'),
    message: db.prepare(`SELECT ${fields} FROM messages WHERE id = ?`),
    fresh: db.prepare(`SELECT ${fields} FROM messages WHERE topic_id = ? AND id > ? ORDER BY id LIMIT ?`),
    hand: db.prepare('INSERT INTO inflight (group_id, message_id, owner, due_at, attempt) VALUES (?, ?, ?, ?, 1)'),
    lease: db.prepare('UPDATE inflight SET owner = ?, due_at = ?, attempt = attempt + 1 WHERE group_id = ? AND message_id = ?'),
    renew: db.prepare('UPDATE inflight SET due_at = ? WHERE group_id = ? AND owner = ?'),
    ack: db.prepare('DELETE FROM inflight WHERE group_id = ? AND message_id = ? AND owner = ?'),
    nack: db.prepare('UPDATE inflight SET owner = NULL, due_at = ? WHERE group_id = ? AND message_id = ? AND owner = ?'),
    giveBack: db.prepare('UPDATE inflight SET owner = NULL, due_at = 0, attempt = attempt - 1 WHERE group_id = ? AND owner = ?'),
    forget: db.prepare('DELETE FROM inflight WHERE group_id = ? AND message_id = ?'),
    dropGroups: db.prepare('DELETE FROM consumer_groups WHERE seen_at < ?'),
    dropOrphans: db.prepare('DELETE FROM inflight WHERE group_id NOT IN (SELECT id FROM consumer_groups)'),
    cleanRead: db.prepare(
      `DELETE FROM messages WHERE id IN (SELECT m.id FROM messages m WHERE m.topic_id = ?
        AND m.id <= coalesce((SELECT min(cursor) FROM consumer_groups WHERE topic_id = ?), 9007199254740991)
        AND m.published_at <= ? AND ${unread} ORDER BY m.id LIMIT ?)`,
    ),
    cleanExpired: db.prepare(
      'DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE expires_at <= ? AND topic_id = ? LIMIT ?)',
    ),
  };
}
