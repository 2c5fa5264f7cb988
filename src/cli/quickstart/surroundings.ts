import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { UsageError } from '../../errors.js';
import { type ControlPlaneAddress, DEFAULT_CONTROL_PLANE, parseControlPlaneAddress } from '../args.js';
import type { RunPlan } from '../run/plan.js';
import { freePort, isFree } from '../run/ports.js';

/** @returns the run file that ships beside this CLI */
export function quickstartFile(): string {
  const script = realpathSync(process.argv[1] as string);
  const path = resolve(dirname(script), '../examples/quickstart/weft.yaml');
  if (!existsSync(path)) throw new UsageError(`quickstart: ${path} is not there; run it from a checkout of Weft`);
  return path;
}

/** Moves an app to a free port where its own is taken, and says so. */
export async function onFreePorts(plan: RunPlan, say: (text: string) => void): Promise<RunPlan> {
  const taken = new Set(plan.apps.map(({ appPort }) => appPort));
  const apps = [];
  for (const app of plan.apps) {
    if (await isFree(app.appPort)) {
      apps.push(app);
      continue;
    }
    const appPort = await freePort(app.appPort + 1, taken);
    say(`port ${app.appPort} is taken; ${app.appId} listens on ${appPort}`);
    apps.push({ ...app, appPort });
  }
  return { ...plan, apps };
}

export interface Surroundings {
  readonly controlPlane: ControlPlaneAddress;
  /** For the lines that are printed to try: empty where the default holds. */
  readonly flag: string;
  /** For everything that is started. */
  readonly env: NodeJS.ProcessEnv;
  /** Removes what was made for this run only. */
  dispose(): void;
}

/**
 * The quickstart brings its own control plane: another run may have apps of the same names. Where the default port is taken it
 * goes elsewhere, with its own data directory, so that neither takes the other's messages.
 */
export async function ownSurroundings(asked: string, say: (text: string) => void): Promise<Surroundings> {
  const controlPlane = parseControlPlaneAddress(asked);
  const { host, port, httpPort } = controlPlane;
  if ((await isFree(port, host)) && (await isFree(httpPort, host))) {
    const flag = asked === DEFAULT_CONTROL_PLANE ? '' : ` --control-plane-address ${asked}`;
    return { controlPlane, flag, env: process.env, dispose: () => {} };
  }
  const taken = new Set<number>();
  let free = await freePort(18_010, taken);
  while (!(await isFree(free + 1))) free = await freePort(free + 2, taken);
  const home = mkdtempSync(join(tmpdir(), 'weft-quickstart-'));
  const address = `127.0.0.1:${free}`;
  say(`port ${port} or ${httpPort} is taken; this run's control plane is on ${address}, its data in ${home}`);
  return {
    controlPlane: parseControlPlaneAddress(address),
    flag: ` --control-plane-address ${address}`,
    env: { ...process.env, WEFT_HOME: home },
    dispose: () => rmSync(home, { recursive: true, force: true }),
  };
}
