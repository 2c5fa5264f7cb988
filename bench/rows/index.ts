import type { Row } from '../types.js';
import { envoyRecovery } from './envoy-recovery.js';
import { actorCall, invokeHttp, invokeHttpMtls, stateGet, stateSave } from './http-rows.js';
import { idleMemory } from './idle-memory.js';
import { invokeGrpc, invokeGrpcMtls } from './invoke-grpc.js';
import { largeBody } from './large-body.js';
import { newAppCallable } from './new-app-callable.js';
import { publishDeliver } from './publish-deliver.js';
import { routeChange } from './route-change.js';
import { sse } from './sse.js';
import { startup } from './startup.js';

/** In the order of the report. */
export const rows: readonly Row[] = [
  invokeHttp,
  invokeGrpc,
  invokeHttpMtls,
  invokeGrpcMtls,
  stateGet,
  stateSave,
  publishDeliver,
  actorCall,
  sse,
  largeBody,
  routeChange,
  newAppCallable,
  envoyRecovery,
  startup,
  idleMemory,
];
