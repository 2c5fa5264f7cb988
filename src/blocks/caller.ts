/** Who waits for an answer. Asked only when something fails: @returns a signal that is aborted once nobody waits any more */
export type Caller = () => AbortSignal;

/** A component, and the same for somebody who waits, where that makes a difference. */
export interface Callable<T> {
  readonly component: T;
  /** When nobody waits any more, nothing is tried again. Undefined: nothing would be. */
  readonly forCaller?: ((caller: Caller) => T) | undefined;
}

/** @returns what to call for `caller`: where nothing would be tried again, the component as it is */
export const componentFor = <T>({ component, forCaller }: Callable<T>, caller: Caller | undefined): T =>
  caller && forCaller ? forCaller(caller) : component;
