import type { IncomingMessage } from 'node:http';
import { writeError } from '../api/http/errors.js';
import type { Divert } from '../api/http/server.js';
import type { Relay } from '../blocks/invoke/relay.js';
import { AppError } from '../errors.js';
import { isDoor } from '../lib/door-mark.js';
import type { Logger } from '../telemetry/logger.js';
import type { AppConfigurationView } from './app-configuration.js';

export interface ApiGateOptions {
  readonly configuration: Pick<AppConfigurationView, 'known' | 'hasPipeline'>;
  /** Into Envoy's listener with the pipeline. */
  readonly pipeline: Relay;
  readonly logger: Logger;
}

/** Answered before anything is known, with or without a pipeline: clients wait for it. */
const HEALTH = /^\/v1\.0\/healthz(?:\/outbound)?(?:\?|$)/;
const METADATA = /^\/v1\.0\/metadata(?:\?|$)/;

/**
 * What comes before every route of the HTTP API. While the app's Configuration is not known, nothing is served that it may forbid. While
 * there is a pipeline, requests on our own port are Envoy's, and come back through it; so they are if a connection is older than the pipeline.
 */
export function apiGate({ configuration, pipeline, logger }: ApiGateOptions): Divert {
  return (request, response) => {
    // First what nearly every request is: this is the hot path.
    if (configuration.known() && !configuration.hasPipeline()) return false;
    if (isGet(request, HEALTH)) return false;
    if (!configuration.known()) {
      if (isGet(request, METADATA)) return false;
      writeError(response, new AppError('notConfigured'), logger);
      return true;
    }
    if (!isDoor(request.socket)) return false;
    pipeline(request, response, { target: '' }).catch(() => writeError(response, new AppError('pipelineNotReady'), logger));
    return true;
  };
}

const isGet = ({ method, url = '' }: IncomingMessage, path: RegExp) => method === 'GET' && path.test(url);
