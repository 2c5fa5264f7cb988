import type { LoadedComponent } from '../component.js';
import type { MiddlewareModule } from './middleware-module.js';

/** A component of type middleware.http.*. What Envoy does by itself needs nothing of it here. */
export interface HttpMiddleware extends LoadedComponent {
  readonly capabilities: readonly string[];
  /** What Envoy needs and the control plane must not know, by its name. */
  readonly secrets?: ReadonlyMap<string, string>;
  /** Where an issuer of tokens keeps its keys, found by asking the issuer. */
  readonly jwksUrl?: string;
  /** Handlers that Envoy asks for each call. */
  readonly module?: MiddlewareModule;
}
