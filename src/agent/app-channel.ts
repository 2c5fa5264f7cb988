import { credentials, Metadata } from '@grpc/grpc-js';
import type { AppChannel, HttpChannel } from '../blocks/app/channel.js';
import { type AppCallback, type CallbackObserver, createAppCallback } from '../blocks/app/grpc-callback.js';
import { createHttpChannel } from '../blocks/app/http-channel.js';
import type { ProbeResult } from '../blocks/observe/count.js';
import { AppCallbackHealthCheckClient } from '../gen/dapr/proto/runtime/v1/appcallback.js';
import { grpcStatusName } from '../telemetry/metrics/grpc-status.js';
import { isGrpc, type SidecarOptions } from './options.js';

export interface App {
  readonly channel: AppChannel;
  /** Present when the app speaks gRPC. */
  readonly callback?: AppCallback;
  /** @returns whether the app says that it is healthy (reference §2.7), and its status: of HTTP as a number, of gRPC by its name */
  probe(path: string, timeoutMs: number): Promise<ProbeResult>;
  close(): Promise<void>;
}

/** What counts what the app is asked; health checks are not among it. */
export interface AppObserver {
  requests(channel: HttpChannel): HttpChannel;
  readonly callbacks: CallbackObserver;
}

/** @returns the app as the filter service calls it; nothing is connected yet */
export function openApp(options: SidecarOptions, observe?: AppObserver): App {
  const { appPort, appProtocol, appToken } = options;
  if (appPort === 0) return { channel: { kind: 'none' }, probe: async () => WELL, close: async () => {} };
  const host = options.appAddress.includes(':') ? `[${options.appAddress}]` : options.appAddress;
  const address = `${host}:${appPort}`;
  if (isGrpc(appProtocol)) {
    const tls = appProtocol === 'grpcs';
    const callback = createAppCallback({
      address,
      tls,
      maxMessageBytes: options.maxBodyBytes,
      observer: observe?.callbacks,
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
  const counted = observe?.requests(http) ?? http;
  return { channel: { kind: 'http', http: counted }, probe: httpProbe(http), close: () => http.close() };
}

const WELL: ProbeResult = { healthy: true, status: '' };

const httpProbe =
  (http: HttpChannel): App['probe'] =>
  async (path, timeoutMs) => {
    const reply = await http.request({ method: 'GET', path, timeoutMs }).catch(() => undefined);
    // No answer counts as a 500, as in Dapr.
    const status = reply?.status ?? 500;
    return { healthy: status >= 200 && status < 300, status: String(status) };
  };

function createGrpcProbe(address: string, tls: boolean): { probe(timeoutMs: number): Promise<ProbeResult>; close(): void } {
  const secure = () => credentials.createSsl(null, null, null, { rejectUnauthorized: false });
  const client = new AppCallbackHealthCheckClient(address, tls ? secure() : credentials.createInsecure());
  return {
    probe: (timeoutMs) =>
      new Promise((resolve) => {
        client.healthCheck({}, new Metadata(), { deadline: Date.now() + timeoutMs }, (error) =>
          resolve({ healthy: !error, status: grpcStatusName(error?.code ?? 0) }),
        );
      }),
    close: () => client.close(),
  };
}
