import type { handleUnaryCall, ServerUnaryCall } from '@grpc/grpc-js';

/** Parses nothing and formats nothing: takes the decoded request, gives the response or throws an AppError. */
export type UnaryHandle<Request, Response> = (
  request: Request,
  call: ServerUnaryCall<Request, Response>,
) => Response | Promise<Response>;

/** @returns `handle` as grpc-js wants it; what it throws becomes a status in the server */
export function unary<Request, Response>(handle: UnaryHandle<Request, Response>): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    try {
      const result = handle(call.request, call);
      if (result instanceof Promise)
        result.then(
          (response) => callback(null, response),
          (error: Error) => callback(error),
        );
      else callback(null, result);
    } catch (error) {
      callback(error as Error);
    }
  };
}
