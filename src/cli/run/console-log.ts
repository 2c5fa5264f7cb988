import { once } from 'node:events';
import { APP_COLOURS, type Paint } from '../terminal.js';
import type { LogDestination } from './fields.js';
import type { LogFile } from './lines.js';

export interface ConsoleLog {
  /** Writes one line with its prefix; the promise, if any, resolves when the terminal has room again. */
  write(prefix: string, line: string): Promise<void> | undefined;
}

/** Standard output shared by all apps of a run: lines never mix, and a slow reader slows the apps instead of filling our memory. */
export function createConsoleLog(stream: NodeJS.WriteStream): ConsoleLog {
  return {
    write(prefix, line) {
      if (stream.write(`${prefix}${line}\n`) || stream.destroyed) return undefined;
      return Promise.race([once(stream, 'drain'), once(stream, 'close')]).then(
        () => {},
        () => {},
      );
    },
  };
}

/** @returns `== APP - orders == ` as the Dapr CLI has it, or `== WEFT - orders == ` for its sidecar, in the app's colour */
export function logPrefix(paint: Paint, kind: 'APP' | 'WEFT', appId: string, index: number): string {
  return `${paint(APP_COLOURS[index % APP_COLOURS.length] ?? 'cyan', `== ${kind} - ${appId} ==`)} `;
}

export interface LineRoute {
  readonly destination: LogDestination;
  readonly file: LogFile | undefined;
  readonly console: ConsoleLog;
  readonly prefix: string;
  /** Lines that reach the console even where the destination is a file. */
  readonly alwaysShown?: (line: string) => boolean;
}

/** @returns what a child's `onLine` does: to the file, to the console, or both */
export function routeLines(route: LineRoute): (line: string) => Promise<void> | undefined {
  const { destination, file, console, prefix, alwaysShown } = route;
  return (line) => {
    file?.write(line);
    if (destination !== 'file' || alwaysShown?.(line)) return console.write(prefix, line);
    return undefined;
  };
}

/** A sidecar's warnings and errors, in either of its log formats. */
export const isTroubleLine = (line: string): boolean =>
  /\blevel=(warning|error|fatal)\b/.test(line) || /"level":(40|50|60)\b/.test(line) || line.startsWith('weft: ');

/** What the control plane says that people must see: its failures. */
export const isFailureLine = (line: string): boolean => /\blevel=(error|fatal)\b/.test(line) || line.startsWith('weft: ');
