import { Server, ServerCredentials, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import type { AppChannel } from '../../src/blocks/app/channel.js';
import { type AppCallback, createAppCallback } from '../../src/blocks/app/grpc-callback.js';
import {
  AppCallbackAlphaService,
  type AppCallbackServer,
  AppCallbackService,
} from '../../src/gen/dapr/proto/runtime/v1/appcallback.js';

export interface TestGrpcApp {
  readonly channel: AppChannel;
  readonly callback: AppCallback;
}

/** A gRPC app with the methods that a test gives; all others answer UNIMPLEMENTED. Closed after the test. */
export async function startGrpcApp(
  methods: Partial<Record<keyof typeof AppCallbackService, unknown>>,
  alpha?: Partial<Record<keyof typeof AppCallbackAlphaService, unknown>>,
): Promise<TestGrpcApp> {
  const server = new Server();
  server.addService(AppCallbackService, methods as unknown as AppCallbackServer & UntypedServiceImplementation);
  if (alpha) server.addService(AppCallbackAlphaService, alpha as unknown as UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const address = `127.0.0.1:${port}`;
  const callback = createAppCallback({ address, tls: false, token: 'app-token' });
  onTestFinished(() => {
    callback.close();
    server.forceShutdown();
  });
  return { channel: { kind: 'grpc', address, tls: false }, callback };
}
