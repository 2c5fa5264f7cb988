import { accepts } from '../../agent/app-wait.js';
import { sleep } from '../../lib/async.js';
import type { ControlPlaneAddress } from '../args.js';
import type { Paint } from '../terminal.js';
import { type Child, startChild } from './child.js';
import { type ConsoleLog, isTroubleLine, logPrefix, routeLines } from './console-log.js';
import { type LogFile, openLogFile } from './lines.js';
import type { AppPlan } from './plan.js';
import type { PlannedPorts } from './ports.js';

/** One app of a run with its sidecar. */
export interface Unit {
  readonly plan: AppPlan;
  readonly ports: PlannedPorts;
  readonly sidecar: Child;
  /** Undefined when the plan has no command. */
  readonly app: Child | undefined;
  readonly appLogPath: string | undefined;
  readonly sidecarLogPath: string | undefined;
  /** From now on the sidecar's own complaints are no news: it is being stopped. */
  quieten(): void;
  closeLogs(): void;
}

export interface UnitContext {
  readonly index: number;
  readonly ports: PlannedPorts;
  readonly controlPlane: ControlPlaneAddress;
  readonly weft: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly envoyPath: string;
  readonly console: ConsoleLog;
  readonly paint: Paint;
}

/** Starts a sidecar and its app, both at once: the sidecar waits for the app's port, and SDKs wait for the sidecar. */
export function startUnit(plan: AppPlan, context: UnitContext): Unit {
  const { index, console, paint } = context;
  const logs: LogFile[] = [];
  const open = (kind: 'app' | 'sidecar', destination: string) => {
    if (destination === 'console') return undefined;
    const file = openLogFile(plan.appId, kind, new Date());
    logs.push(file);
    return file;
  };
  const sidecarFile = open('sidecar', plan.sidecarLog);
  const appFile = plan.command.length > 0 ? open('app', plan.appLog) : undefined;
  let quiet = false;
  const toSidecarLog = routeLines({
    destination: plan.sidecarLog,
    file: sidecarFile,
    console,
    prefix: logPrefix(paint, 'WEFT', plan.appId, index),
    alwaysShown: (line) => !quiet && isTroubleLine(line),
  });
  const [command, ...args] = plan.command;
  const app =
    command === undefined
      ? undefined
      : startChild({
          command,
          args,
          cwd: plan.directory,
          env: appEnvironment(plan, context),
          onLine: routeLines({
            destination: plan.appLog,
            file: appFile,
            console,
            prefix: logPrefix(paint, 'APP', plan.appId, index),
          }),
        });
  const sidecar = startSidecar(plan, { ...context, appPid: app?.pid }, toSidecarLog);
  return {
    plan,
    ports: context.ports,
    sidecar,
    app,
    appLogPath: appFile?.path,
    sidecarLogPath: sidecarFile?.path,
    quieten() {
      quiet = true;
    },
    closeLogs: () => logs.forEach((file) => void file.close()),
  };
}

type SidecarContext = UnitContext & { readonly appPid: number | undefined };

function startSidecar(plan: AppPlan, context: SidecarContext, onLine: (line: string) => Promise<void> | undefined): Child {
  const { ports, controlPlane, weft, env, envoyPath, appPid } = context;
  const [node = process.execPath, ...words] = weft;
  const host = controlPlane.host.includes(':') ? `[${controlPlane.host}]` : controlPlane.host;
  const args = [
    ...['sidecar', '--app-id', plan.appId, '--app-port', String(plan.appPort)],
    ...['--dapr-http-port', String(ports.httpPort), '--dapr-grpc-port', String(ports.grpcPort)],
    ...['--control-plane-address', `${host}:${controlPlane.port}`, '--exit-on-stdin-close'],
    ...plan.sidecarFlags,
  ];
  // What `weft list` shows of a run, and what `weft stop` signals.
  const about = {
    WEFT_RUN_PID: String(process.pid),
    WEFT_APP_PID: String(appPid ?? 0),
    WEFT_APP_COMMAND: plan.command.join(' '),
  };
  return startChild({
    command: node,
    args: [...words, ...args],
    cwd: plan.directory,
    env: { ...env, ...plan.env, WEFT_ENVOY: envoyPath, ...about },
    lifeline: true,
    onLine,
  });
}

/** The variables that Dapr's CLI gives an app and that SDKs read (reference §5.2). */
export function appEnvironment(plan: AppPlan, { ports, env }: Pick<UnitContext, 'ports' | 'env'>): NodeJS.ProcessEnv {
  return {
    ...env,
    // Python holds its output back when it goes to a pipe; the log would not be live.
    PYTHONUNBUFFERED: env.PYTHONUNBUFFERED ?? '1',
    ...plan.env,
    APP_ID: plan.appId,
    APP_PROTOCOL: plan.appProtocol,
    ...(plan.appPort > 0 ? { APP_PORT: String(plan.appPort) } : {}),
    DAPR_HTTP_PORT: String(ports.httpPort),
    DAPR_GRPC_PORT: String(ports.grpcPort),
  };
}

/**
 * Waits until the sidecar says that it is ready, which needs the app to be up.
 * @param onSlow called with what is missing after 10 s, and every 30 s from then on
 * @returns milliseconds since `startedAt`, undefined when the signal ended the wait
 */
export async function untilReady(
  unit: Unit,
  { startedAt, signal, onSlow }: { startedAt: number; signal: AbortSignal; onSlow: (text: string) => void },
): Promise<number | undefined> {
  let nextRemark = startedAt + 10_000;
  while (!signal.aborted) {
    if ((await statusOf(`http://127.0.0.1:${unit.ports.httpPort}/v1.0/healthz`)) === 204) return performance.now() - startedAt;
    if (performance.now() > nextRemark) {
      nextRemark += 30_000;
      onSlow(await whatIsMissing(unit.plan));
    }
    await sleep(25, signal);
  }
  return undefined;
}

async function whatIsMissing({ appId, appPort }: AppPlan): Promise<string> {
  if (appPort > 0 && !(await accepts('127.0.0.1', appPort)))
    return `${appId}: still waiting; nothing listens on its app port ${appPort} yet`;
  return `${appId}: still waiting for its sidecar; \`weft logs --app-id ${appId} --sidecar\` tells more`;
}

async function statusOf(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return undefined;
  }
}
