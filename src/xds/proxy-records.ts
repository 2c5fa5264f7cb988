import type { NackStatus, ProxyStatus, SentResource, SyncState, TypeStatus } from '../control/status.js';
import { type NodeIdentity, nodeId } from '../model/names.js';
import { PUSH_ORDER, type TypeUrl } from './resource-types.js';
import type { SubscriptionView } from './subscription.js';

/** What is remembered of one type on one node; it outlives the stream. */
export interface TypeRecord {
  sent?: { readonly nonce: string; readonly version: string };
  acked?: { readonly nonce: string; readonly version: string };
  nack?: { readonly message: string; readonly at: number };
  /** Versions that the node refused, by resource name. */
  readonly rejected: Map<string, string>;
  /** True while the node is out of step or has not answered. */
  pending: boolean;
}

/** What is remembered of one node. */
export interface NodeRecord {
  readonly node: NodeIdentity;
  readonly types: Map<TypeUrl, TypeRecord>;
  connectedAt?: number;
  /** What the node has, while it is connected. */
  view?: (typeUrl: TypeUrl) => SubscriptionView | undefined;
}

/** @returns the record of `typeUrl`, made when there is none */
export function typeRecord(record: NodeRecord, typeUrl: TypeUrl): TypeRecord {
  const known = record.types.get(typeUrl);
  if (known) return known;
  const made: TypeRecord = { rejected: new Map(), pending: false };
  record.types.set(typeUrl, made);
  return made;
}

/** @returns what `weft proxy-status` shows of `record` */
export function describeRecord(record: NodeRecord): ProxyStatus {
  return {
    nodeId: nodeId(record.node),
    node: record.node,
    connected: record.view !== undefined,
    connectedAt: record.connectedAt,
    types: PUSH_ORDER.map((typeUrl) => describeType(typeUrl, record)),
  };
}

function describeType(typeUrl: TypeUrl, node: NodeRecord): TypeStatus {
  const record = node.types.get(typeUrl);
  const view = node.view?.(typeUrl);
  return {
    typeUrl,
    state: record ? stateOf(record) : 'NOT SENT',
    version: record?.sent?.version,
    nonce: record?.sent?.nonce,
    ackedVersion: record?.acked?.version,
    ackedNonce: record?.acked?.nonce,
    resources: view?.held.size ?? 0,
    nack: record && nackOf(record),
  };
}

export function stateOf(record: TypeRecord): SyncState {
  if (record.nack) return 'NACKED';
  if (record.pending) return 'STALE';
  return record.sent || record.acked ? 'SYNCED' : 'NOT SENT';
}

function nackOf(record: TypeRecord): NackStatus | undefined {
  return record.nack && { ...record.nack, resources: [...record.rejected].map(([name, version]) => ({ name, version })) };
}

/** @returns what `weft proxy-config` shows of one type; undefined when the node is not connected */
export function describeSent(record: NodeRecord, typeUrl: TypeUrl): readonly SentResource[] | undefined {
  if (!record.view) return undefined;
  const held = record.view(typeUrl)?.held ?? new Map();
  const rejected = record.types.get(typeUrl)?.rejected;
  return [...held]
    .map(([name, { version, describe }]) => ({
      name,
      version,
      accepted: rejected?.get(name) !== version,
      config: describe?.() ?? null,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Records by node id. Those of nodes that are gone are dropped, oldest first, when there are more than `limit`. */
export function createRecords(limit: number): {
  of(node: NodeIdentity): NodeRecord;
  all(): readonly NodeRecord[];
  byId(id: string): NodeRecord | undefined;
} {
  const records = new Map<string, NodeRecord>();
  const prune = () => {
    for (const [id, record] of records) {
      if (records.size <= limit) return;
      if (!record.view) records.delete(id);
    }
  };
  return {
    of(node) {
      const id = nodeId(node);
      const record: NodeRecord = records.get(id) ?? { node, types: new Map() };
      // Set anew, so that insertion order is the order of the last connection.
      records.delete(id);
      records.set(id, record);
      prune();
      return record;
    },
    all: () => [...records.values()],
    byId: (id) => records.get(id),
  };
}
