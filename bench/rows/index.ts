import type { Row } from '../types.js';
import { actorCall, invokeHttp, stateGet, stateSave } from './http-rows.js';
import { idleMemory } from './idle-memory.js';
import { invokeGrpc } from './invoke-grpc.js';
import { publishDeliver } from './publish-deliver.js';
import { startup } from './startup.js';

/** In the order of the report. */
export const rows: readonly Row[] = [invokeHttp, invokeGrpc, stateGet, stateSave, publishDeliver, actorCall, startup, idleMemory];
