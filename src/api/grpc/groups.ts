/** The parts of the API that lists of allowed and denied ones name (reference §1.1), by gRPC method. */

const GROUPS: readonly (readonly [RegExp, string])[] = [
  [/Actor/, 'actors'],
  [/^InvokeService$/, 'invoke'],
  [/State$|^ExecuteStateTransaction$/, 'state'],
  [/^(Bulk)?PublishEvent$/, 'publish'],
  [/^InvokeBinding$/, 'bindings'],
  [/Secret$/, 'secrets'],
  [/Metadata$/, 'metadata'],
  [/Configuration$/, 'configuration'],
  [/^TryLock$/, 'lock'],
  [/^Unlock$/, 'unlock'],
  [/^Subtle/, 'subtlecrypto'],
  [/^(En|De)crypt$/, 'crypto'],
  [/Workflow$/, 'workflows'],
  [/Jobs?(ByPrefix)?$/, 'jobs'],
  [/^Shutdown$/, 'shutdown'],
  [/^SubscribeTopicEvents$/, 'subscribe'],
  [/^Converse$/, 'conversation'],
];

/** @returns group and version of a method such as `GetState` or `QueryStateAlpha1`; a method of no group belongs to one of its own */
export function groupOf(method: string): { readonly group: string; readonly version: string } {
  const [, base = method, stage = ''] = /^(.*?)((?:Alpha|Beta)\d+)?$/.exec(method) ?? [];
  const group = GROUPS.find(([pattern]) => pattern.test(base))?.[1] ?? method;
  return { group, version: `v1${stage.toLowerCase()}` };
}
