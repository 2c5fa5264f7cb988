import { AbstractActor } from '@dapr/dapr';

export interface CartLine {
  readonly item: string;
  readonly quantity: number;
}

export interface CartContents {
  readonly lines: readonly CartLine[];
  /** How often this cart has come to life; kept in its state. */
  readonly activations: number;
  /** Calls since it last came to life; kept in memory only, so it starts anew after a deactivation. */
  readonly callsInMemory: number;
}

/** One cart of one customer. Its calls run one after another; its state outlives it. */
export class CartActor extends AbstractActor {
  #calls = 0;

  override async onActivate(): Promise<void> {
    await this.#write('activations', (await this.#read('activations', 0)) + 1);
    // onActivate runs before the first method, which is what saves state.
    await this.getStateManager().saveState();
    console.log(`cart ${this.getActorId().getId()} is active`);
  }

  override async onDeactivate(): Promise<void> {
    console.log(`cart ${this.getActorId().getId()} is idle and leaves memory`);
  }

  async add(item: string, quantity: number): Promise<CartContents> {
    await this.#write('lines', [...(await this.#read<readonly CartLine[]>('lines', [])), { item, quantity }]);
    return this.contents();
  }

  async contents(): Promise<CartContents> {
    this.#calls += 1;
    return {
      lines: await this.#read<readonly CartLine[]>('lines', []),
      activations: await this.#read('activations', 0),
      callsInMemory: this.#calls,
    };
  }

  async #read<T>(name: string, otherwise: T): Promise<T> {
    const [found, value] = await this.getStateManager<T>().tryGetState(name);
    return found && value !== null ? value : otherwise;
  }

  async #write<T>(name: string, value: T): Promise<void> {
    await this.getStateManager<T>().setState(name, value);
  }
}
