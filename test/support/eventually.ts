/** Waits until `check` passes (does not throw), at most `limitMs`; then throws its last error. @returns what it gave */
export async function eventually<T>(check: () => T | Promise<T>, limitMs = 8_000): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
