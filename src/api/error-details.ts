import type { AppError, ErrorMeta, ErrorName } from '../errors.js';

/** One item of `details`, protojson form with Dapr's snake_case names (reference §1.2). */
export type ErrorDetail =
  | {
      readonly type: 'ErrorInfo';
      readonly reason: string;
      readonly domain: 'dapr.io';
      readonly metadata: Readonly<Record<string, string>>;
    }
  | { readonly type: 'ResourceInfo'; readonly resourceType: string; readonly resourceName: string; readonly description: string }
  | { readonly type: 'BadRequest'; readonly field: string; readonly description: string }
  | { readonly type: 'Help'; readonly url: string; readonly description: string };

interface DetailRule {
  /** Meta names that ErrorInfo.metadata shows, and what Dapr calls them there. */
  readonly info?: Readonly<Record<string, string>>;
  /** False: no ResourceInfo, because the resource is what does not exist. */
  readonly resource?: false;
  /** Meta name of the field that is wrong. */
  readonly violation?: string;
  readonly help?: { readonly url: string; readonly description: string };
}

const RULES: Partial<Record<ErrorName, DetailRule>> = {
  stateStoreNotConfigured: { info: { appId: 'appID' }, resource: false },
  stateStoreNotFound: { info: { appId: 'appID' }, resource: false },
  stateIllegalKey: { violation: 'key' },
  stateTooManyTransactions: { info: { count: 'currentOpsTransaction', max: 'maxOpsPerTransaction' } },
  stateTransactionsNotSupported: {
    help: {
      url: 'https://docs.dapr.io/reference/components-reference/supported-state-stores/',
      description: 'State stores and the features they support',
    },
  },
  pubsubNotConfigured: { info: { appId: 'appID', err: 'error' }, resource: false },
  pubsubNotFound: { info: { appId: 'appID', err: 'error' }, resource: false },
  pubsubForbidden: { info: { topic: 'topic', err: 'error' } },
  pubsubPublish: { info: { topic: 'topic', err: 'error' } },
};

/** @returns the details of a rich error in wire order, empty for a legacy one */
export function errorDetails(error: AppError): readonly ErrorDetail[] {
  const { row, meta } = error;
  if (row.reason === undefined) return [];
  const rule = RULES[error.code] ?? {};
  const details: ErrorDetail[] = [];
  if (rule.violation)
    details.push({ type: 'BadRequest', field: meta[rule.violation] ?? rule.violation, description: error.message });
  if (rule.help) details.push({ type: 'Help', ...rule.help });
  if (rule.resource !== false && row.resourceType && meta.name !== undefined)
    details.push({ type: 'ResourceInfo', resourceType: row.resourceType, resourceName: meta.name, description: '' });
  details.push({ type: 'ErrorInfo', reason: row.reason, domain: 'dapr.io', metadata: pick(meta, rule.info ?? {}) });
  return details;
}

function pick(meta: ErrorMeta, names: Readonly<Record<string, string>>): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const [from, to] of Object.entries(names)) if (meta[from] !== undefined) picked[to] = meta[from];
  return picked;
}
