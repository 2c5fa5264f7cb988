import { type Address, SocketAddress } from '../../gen/envoy/config/core/v3/address.js';
import { HeaderValueOption, HeaderValueOption_HeaderAppendAction } from '../../gen/envoy/config/core/v3/base.js';
import { ApiVersion, ConfigSource } from '../../gen/envoy/config/core/v3/config_source.js';
import type { Duration } from '../../gen/google/protobuf/duration.js';

/** Small constructors for the values that recur in every Envoy resource. */

/** @returns `ms` milliseconds as a protobuf Duration */
export function duration(ms: number): Duration {
  const seconds = Math.trunc(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

/** @returns a header that replaces whatever the request had under that name */
export function overwrite(key: string, value: string): HeaderValueOption {
  return HeaderValueOption.fromPartial({
    header: { key, value },
    appendAction: HeaderValueOption_HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
  });
}

/** @returns a header that is added to those that the request has under that name */
export function append(key: string, value: string): HeaderValueOption {
  return HeaderValueOption.fromPartial({
    header: { key, value },
    appendAction: HeaderValueOption_HeaderAppendAction.APPEND_IF_EXISTS_OR_ADD,
  });
}

/** @returns a header that is added when the request has none under that name */
export function ifAbsent(key: string, value: string): HeaderValueOption {
  return HeaderValueOption.fromPartial({
    header: { key, value },
    appendAction: HeaderValueOption_HeaderAppendAction.ADD_IF_ABSENT,
  });
}

/** `localhost` is not an address to Envoy. */
const LITERALS: Readonly<Record<string, string>> = { localhost: '127.0.0.1', '': '0.0.0.0' };

/** @returns a TCP address; `host` must be an IP, `localhost`, or empty for all interfaces, except where a DNS cluster resolves it */
export const tcp = (host: string, port: number): Address => ({
  address: {
    $case: 'socketAddress',
    value: { ...baseSocket, address: LITERALS[host] ?? host, portSpecifier: { $case: 'portValue', value: port } },
  },
});
const baseSocket = SocketAddress.fromPartial({});

/** @returns a Unix socket that only its owner may open */
export const pipe = (path: string): Address => ({ address: { $case: 'pipe', value: { path, mode: 0o600 } } });

/** Everything named elsewhere comes over the one ADS stream. */
export const ads: ConfigSource = ConfigSource.fromPartial({
  configSourceSpecifier: { $case: 'ads', value: {} },
  resourceApiVersion: ApiVersion.V3,
  // Waiting here would hold back a listener for as long as its routes are missing; it answers 404 until they come.
  initialFetchTimeout: duration(5000),
});
