/** Runs `action` and tells `end` how it went, with nothing in between when it answers at once. */
export function around<T>(action: () => T | Promise<T>, end: (error: unknown) => void): T | Promise<T> {
  let result: T | Promise<T>;
  try {
    result = action();
  } catch (error) {
    end(error);
    throw error;
  }
  if (!(result instanceof Promise)) {
    end(undefined);
    return result;
  }
  return result.then(
    (value) => {
      end(undefined);
      return value;
    },
    (error: unknown) => {
      end(error);
      throw error;
    },
  );
}
