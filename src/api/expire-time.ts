/** @returns `ms` since the epoch as RFC 3339 with whole seconds, as Dapr writes `ttlExpireTime` */
export function expireTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
