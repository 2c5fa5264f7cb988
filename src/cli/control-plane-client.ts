import type { AppStatus } from '../control/status.js';
import { UsageError } from '../errors.js';
import { type ControlPlaneAddress, parseControlPlaneAddress } from './args.js';
import { didYouMean } from './suggest.js';

const ANSWER_WITHIN_MS = 5_000;

const origin = ({ host, httpPort }: ControlPlaneAddress) => `http://${host.includes(':') ? `[${host}]` : host}:${httpPort}`;

/**
 * Reads one document of the control plane's status API.
 * @param path such as `/v1/apps`
 * @throws UsageError when nothing answers there, or answers with an error
 */
export async function readStatus<T>(addressText: string, path: string): Promise<T> {
  const address = parseControlPlaneAddress(addressText);
  const url = `${origin(address)}${path}`;
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  } catch {
    throw new UsageError(
      `no control plane answers on ${address.host}:${address.httpPort}; is \`weft run\` or \`weft control-plane\` running? (--control-plane-address ${addressText})`,
    );
  }
  const text = await response.text();
  if (!response.ok) throw new UsageError(`the control plane answered ${response.status} on ${path}: ${text.slice(0, 200)}`);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new UsageError(`${url} does not answer as a control plane does; is another program on that port?`);
  }
}

/** @returns the instances that are attached to the control plane, in a stable order */
export async function listApps(address: string): Promise<readonly AppStatus[]> {
  const { apps } = await readStatus<{ readonly apps: readonly AppStatus[] }>(address, '/v1/apps');
  return [...apps].sort((a, b) => a.appId.localeCompare(b.appId) || a.startedAtMs - b.startedAtMs);
}

/** @throws UsageError when no instance of the app runs; names the near ones */
export async function findApp(address: string, appId: string, flag: string): Promise<AppStatus> {
  const apps = await listApps(address);
  const found = apps.find((app) => app.appId === appId && app.state === 'ready') ?? apps.find((app) => app.appId === appId);
  if (found) return found;
  const ids = [...new Set(apps.map((app) => app.appId))];
  const running = ids.length === 0 ? 'no app is running' : `running: ${ids.join(', ')}`;
  throw new UsageError(`${flag} ${appId}: no such app is running${didYouMean(appId, ids)}; ${running}`);
}
