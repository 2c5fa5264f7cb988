import type { MiddlewareModule, RequestHead, ResponseHead } from '../blocks/middleware/middleware-module.js';
import type { ProcessingRequest, ProcessingResponse } from '../gen/envoy/service/ext_proc/v3/external_processor.js';
import { type Phase, toAnswer } from './answers.js';
import { requestHead, responseHead } from './heads.js';

/** The parts of a call in the order that Envoy shows them in, each once at most. */
const ORDER: readonly string[] = ['requestHeaders', 'requestBody', 'responseHeaders', 'responseBody'] satisfies Phase[];

/** One call as one module sees it. */
export interface Exchange {
  /** @returns Envoy's next instruction @throws Error when the module fails, or Envoy shows something out of turn */
  next(message: ProcessingRequest): Promise<ProcessingResponse>;
}

/** @returns the state of one call: which part comes next, and the heads that its bodies belong to */
export function createExchange(module: MiddlewareModule): Exchange {
  let reached = -1;
  let request: RequestHead | undefined;
  let response: ResponseHead | undefined;

  const run = ({ request: part }: ProcessingRequest): unknown => {
    switch (part?.$case) {
      case 'requestHeaders':
        request = requestHead(part.value.headers);
        return module.onRequestHeaders?.(request);
      case 'requestBody':
        return module.onRequestBody?.({ ...(request ?? NO_HEAD), body: Buffer.from(part.value.body) });
      case 'responseHeaders':
        response = responseHead(part.value.headers, request);
        return module.onResponseHeaders?.(response);
      case 'responseBody':
        return module.onResponseBody?.({ ...(response ?? NO_ANSWER), body: Buffer.from(part.value.body) });
      default:
        return undefined;
    }
  };

  return {
    async next(message) {
      const phase = message.request?.$case ?? '';
      const place = ORDER.indexOf(phase);
      if (place <= reached) throw new Error(`${phase || 'an empty message'} came out of turn`);
      reached = place;
      return toAnswer(phase as Phase, await run(message));
    },
  };
}

const NO_HEAD: RequestHead = { method: '', path: '', headers: {} };
const NO_ANSWER: ResponseHead = { status: 0, headers: {}, request: undefined };
