import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UsageError } from '../errors.js';
import { isAlive } from '../lib/alive.js';
import { runtimeDir } from '../lib/weft-home.js';

/** Everything of one run of a sidecar that lies in the file system. */
export interface RunDir {
  readonly path: string;
  readonly bootstrap: string;
  readonly sockets: {
    /** Filter service. */
    readonly api: string;
    readonly grpc: string;
    /** Certificates for Envoy. */
    readonly sds: string;
    /** Envoy's spans. */
    readonly spans: string;
    /** Envoy. */
    readonly loop: string;
    readonly self: string;
    /** Envoy, while there is a pipeline: the filter service's own HTTP port passes everything on to it. */
    readonly door: string;
    /** Envoy, for calls that it records: those that the app makes, and those for the app. */
    readonly traced: string;
    readonly tracedInbound: string;
    /** Middleware modules, for Envoy. */
    readonly extProc: string;
    readonly admin: string;
  };
  remove(): void;
}

/** The kernel's limit is 108 with the final zero; macOS allows 104. */
const LONGEST_SOCKET_PATH = 103;
const PID_FILE = 'pid';

/** @param name unique and short. @throws UsageError when the directory's name is too long for Unix sockets */
export function makeRunDir(name: string): RunDir {
  const path = runtimeDir(name);
  const socket = (file: string) => join(path, `${file}.sock`);
  if (socket('admin').length > LONGEST_SOCKET_PATH)
    throw new UsageError(`${path} is too long for Unix sockets; set WEFT_RUNTIME_DIR to a shorter directory`);
  writeFileSync(join(path, PID_FILE), String(process.pid));
  removeLeftOvers(dirname(path));
  return {
    path,
    bootstrap: join(path, 'envoy.json'),
    sockets: {
      api: socket('api'),
      grpc: socket('grpc'),
      sds: socket('sds'),
      spans: socket('spans'),
      loop: socket('loop'),
      self: socket('self'),
      door: socket('door'),
      traced: socket('out'),
      tracedInbound: socket('in'),
      extProc: socket('ext'),
      admin: socket('admin'),
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Directories of sidecars that were killed before they could remove them. */
function removeLeftOvers(base: string): void {
  for (const entry of readdirSync(base)) {
    const dir = join(base, entry);
    const pid = pidOf(dir);
    if (pid !== undefined && !isAlive(pid)) rmSync(dir, { recursive: true, force: true });
  }
}

function pidOf(dir: string): number | undefined {
  try {
    return Number(readFileSync(join(dir, PID_FILE), 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}
