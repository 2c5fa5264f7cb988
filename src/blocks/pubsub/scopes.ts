/** Which topics an app may use (reference §2.3). Metadata keys are lower-cased, as in ComponentSpec. */
export interface TopicScopes {
  mayPublish(topic: string): boolean;
  maySubscribe(topic: string): boolean;
}

/** @returns the decisions for `appId` by a pub/sub component's `publishingScopes`, `subscriptionScopes`, `allowedTopics`, `protectedTopics` */
export function topicScopes(metadata: ReadonlyMap<string, string>, appId: string): TopicScopes {
  const allowed = new Set(list(metadata.get('allowedtopics'), ','));
  const guarded = new Set(list(metadata.get('protectedtopics'), ','));
  const decide = (scope: ReadonlySet<string> | undefined) => (topic: string) => {
    if (allowed.size > 0 && !allowed.has(topic)) return false;
    if (!guarded.has(topic) && scope === undefined) return true;
    return scope?.has(topic) ?? false;
  };
  return {
    mayPublish: decide(scopeOf(metadata.get('publishingscopes'), appId)),
    maySubscribe: decide(scopeOf(metadata.get('subscriptionscopes'), appId)),
  };
}

/** @returns the topics of `appId` in `app1=t1,t2;app2=`; undefined: no entry, which is not the same as an empty one */
function scopeOf(text: string | undefined, appId: string): ReadonlySet<string> | undefined {
  for (const entry of list(text, ';')) {
    const at = entry.indexOf('=');
    if (at >= 0 && entry.slice(0, at).trim() === appId) return new Set(list(entry.slice(at + 1), ','));
  }
  return undefined;
}

function list(text: string | undefined, separator: string): string[] {
  return (text ?? '')
    .split(separator)
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
