import type { AppChannel } from '../blocks/app/channel.js';
import { type AppCallback, createAppCallback } from '../blocks/app/grpc-callback.js';
import { createHttpChannel } from '../blocks/app/http-channel.js';
import { isGrpc, type SidecarOptions } from './options.js';

export interface App {
  readonly channel: AppChannel;
  /** Present when the app speaks gRPC. */
  readonly callback?: AppCallback;
  close(): Promise<void>;
}

/** @returns the app as the filter service calls it; nothing is connected yet */
export function openApp(options: SidecarOptions): App {
  const { appPort, appProtocol, appToken } = options;
  if (appPort === 0) return { channel: { kind: 'none' }, close: async () => {} };
  const host = options.appAddress.includes(':') ? `[${options.appAddress}]` : options.appAddress;
  const address = `${host}:${appPort}`;
  if (isGrpc(appProtocol)) {
    const tls = appProtocol === 'grpcs';
    const callback = createAppCallback({
      address,
      tls,
      maxMessageBytes: options.maxBodyBytes,
      ...(appToken ? { token: appToken } : {}),
    });
    return { channel: { kind: 'grpc', address, tls }, callback, close: async () => callback.close() };
  }
  const tls = appProtocol === 'https';
  const http = createHttpChannel({
    origin: `${tls ? 'https' : 'http'}://${address}`,
    insecureTls: tls,
    ...(options.appMaxConcurrency ? { maxConnections: options.appMaxConcurrency } : {}),
    ...(appToken ? { headers: { 'dapr-api-token': appToken } } : {}),
  });
  return { channel: { kind: 'http', http }, close: () => http.close() };
}
