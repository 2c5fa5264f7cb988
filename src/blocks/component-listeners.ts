import { messageOf } from '../errors.js';
import { withDeadline } from '../lib/async.js';
import type { Logger } from '../telemetry/logger.js';
import type { Block } from './component-types.js';

/** `removed`: gone for good; `replaced`: a new version serves already, the old one closes once listeners are done with it. */
export interface ComponentEvent {
  readonly kind: 'added' | 'replaced' | 'removed';
  readonly block: Block;
  readonly name: string;
}

export type ComponentListener = (event: ComponentEvent) => void | Promise<void>;

const LISTENER_LIMIT_MS = 5_000;

/** Who wants to know of every component that comes, changes or goes. */
export class ComponentListeners {
  readonly #logger: Logger;
  readonly #listeners = new Set<ComponentListener>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @returns stop listening */
  add(listener: ComponentListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when every listener has taken the event up, has failed (which is logged) or has had its 5 s. */
  async tell(event: ComponentEvent): Promise<void> {
    const call = async (listener: ComponentListener) => listener(event);
    const calls = [...this.#listeners].map((listener) =>
      withDeadline(call(listener), LISTENER_LIMIT_MS, `${event.block} ${event.name}`).catch((error) =>
        this.#logger.error('a component change was not taken up', { component: event.name, error: messageOf(error) }),
      ),
    );
    await Promise.all(calls);
  }
}
