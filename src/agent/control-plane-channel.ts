import { Channel, type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { CONTROL_PLANE_NAME } from './identity/control-plane-peer.js';

/** The one connection of the filter service to the control plane: Attach and ADS are two streams on it. */
export interface ControlPlaneChannel {
  /** `host:port`. */
  readonly address: string;
  /** For messages: names address and flag. */
  readonly what: string;
  readonly channel: Channel;
  readonly credentials: ChannelCredentials;
  close(): void;
}

/** grpc-js would wait a second and more before it tries again; a restarted control plane is back sooner. */
const OPTIONS = {
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.min_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5000,
  'grpc.max_receive_message_length': -1,
  'grpc.ssl_target_name_override': CONTROL_PLANE_NAME,
};

/** Connects on first use. */
export function openControlPlaneChannel(address: string, channelCredentials = credentials.createInsecure()): ControlPlaneChannel {
  const channel = new Channel(address, channelCredentials, OPTIONS);
  return {
    address,
    what: `control plane at ${address} (--control-plane-address)`,
    channel,
    credentials: channelCredentials,
    close: () => channel.close(),
  };
}
