import { credentials, Metadata } from '@grpc/grpc-js';
import type { AppChannel, HttpChannel } from '../blocks/app/channel.js';
import { type AppCallback, createAppCallback } from '../blocks/app/grpc-callback.js';
import { createHttpChannel } from '../blocks/app/http-channel.js';
import { AppCallbackHealthCheckClient } from '../gen/dapr/proto/runtime/v1/appcallback.js';
import { isGrpc, type SidecarOptions } from './options.js';

export interface App {
  readonly channel: AppChannel;
  /** Present when the app speaks gRPC. */
  readonly callback?: AppCallback;
  /** @returns whether the app says that it is healthy (reference §2.7) */
  probe(path: string, timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
}

/** @returns the app as the filter service calls it; nothing is connected yet */
export function openApp(options: SidecarOptions): App {
  const { appPort, appProtocol, appToken } = options;
  if (appPort === 0) return { channel: { kind: 'none' }, probe: async () => true, close: async () => {} };
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
    const check = createGrpcProbe(address, tls);
    const close = async () => {
      callback.close();
      check.close();
    };
    return { channel: { kind: 'grpc', address, tls }, callback, probe: (_path, timeoutMs) => check.probe(timeoutMs), close };
  }
  const tls = appProtocol === 'https';
  const http = createHttpChannel({
    origin: `${tls ? 'https' : 'http'}://${address}`,
    insecureTls: tls,
    ...(options.appMaxConcurrency ? { maxConnections: options.appMaxConcurrency } : {}),
    ...(appToken ? { headers: { 'dapr-api-token': appToken } } : {}),
  });
  return { channel: { kind: 'http', http }, probe: httpProbe(http), close: () => http.close() };
}

const httpProbe =
  (http: HttpChannel): App['probe'] =>
  async (path, timeoutMs) => {
    const reply = await http.request({ method: 'GET', path, timeoutMs }).catch(() => undefined);
    return reply !== undefined && reply.status >= 200 && reply.status < 300;
  };

function createGrpcProbe(address: string, tls: boolean): { probe(timeoutMs: number): Promise<boolean>; close(): void } {
  const secure = () => credentials.createSsl(null, null, null, { rejectUnauthorized: false });
  const client = new AppCallbackHealthCheckClient(address, tls ? secure() : credentials.createInsecure());
  return {
    probe: (timeoutMs) =>
      new Promise((resolve) => {
        client.healthCheck({}, new Metadata(), { deadline: Date.now() + timeoutMs }, (error) => resolve(!error));
      }),
    close: () => client.close(),
  };
}
