/** One line of what Envoy answers to `/stats/prometheus`. */
export interface EnvoySample {
  readonly kind: 'cluster' | 'http' | 'vhost';
  /** Without `envoy_<kind>_`. */
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^envoy_(cluster|http|vhost)_([a-z0-9_]+?)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([\w.]+)="((?:[^"\\]|\\.)*)"/g;

/** @returns every sample of `text` that is about clusters, listeners or virtual clusters */
export function readStats(text: string): readonly EnvoySample[] {
  const found: EnvoySample[] = [];
  for (const line of text.split('\n')) {
    const [, kind, name, labelText = '', value] = (line.startsWith('envoy_') && LINE.exec(line)) || [];
    if (!kind || !name || value === undefined) continue;
    const labels: Record<string, string> = {};
    for (const [, label = '', content = ''] of labelText.matchAll(LABEL)) labels[label] = content;
    found.push({ kind: kind as EnvoySample['kind'], name, labels, value: Number(value) });
  }
  return found;
}

/** What a cluster's name says (model/names.ts); undefined: it is none of an app, an actor type or an external service. */
export interface Target {
  readonly kind: 'app' | 'actor' | 'external';
  readonly namespace: string;
  readonly name: string;
}

export function targetOf({ labels }: EnvoySample): Target | undefined {
  const [kind = '', namespace = '', ...rest] = (labels.envoy_cluster_name ?? '').split('|');
  // Calls by an external service's URL have a cluster of their own: `pay/url`. The same labels twice would be no series at all.
  const name = rest.join('/');
  return kind === 'app' || kind === 'actor' || kind === 'external' ? { kind, namespace, name } : undefined;
}

/** `2xx` of the series that count the answers of a listener, which Envoy does by class of status. */
export const statusClass = ({ name }: EnvoySample): string | undefined => /^downstream_rq_([1-5]xx)$/.exec(name)?.[1];

/** `200` of the series that count the answers of a cluster or virtual cluster. */
export const statusCode = ({ name }: EnvoySample): string | undefined =>
  /^(?:vcluster_)?upstream_rq_([1-5]\d\d)$/.exec(name)?.[1];

/** @param status `200` */
export const classOf = (status: string): string => `${status.slice(0, 1)}xx`;

/** The suffix of a part of a histogram of milliseconds. */
export const timePart = ({ name }: EnvoySample): string | undefined =>
  /^(?:vcluster_)?(?:up|down)stream_rq_time(_bucket|_sum|_count)$/.exec(name)?.[1];
