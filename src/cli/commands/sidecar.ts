import { type Command, Option } from 'commander';
import { type Sidecar, startSidecar } from '../../agent/sidecar.js';
import { messageOf, UsageError } from '../../errors.js';
import { createLogger } from '../../telemetry/logger.js';
import { controlPlaneOption, listArgument, portArgument, withExamples } from '../args.js';
import { answerQuestions } from '../run/questions.js';
import { countArgument, levelOf, type SidecarFlags, sidecarOptions, sizeArgument, switchArgument } from '../sidecar-flags.js';

/** Flags of daprd that stand in many scripts and that Weft needs no value for; taken, so that those scripts run. */
const WITHOUT_EFFECT = [
  ...['mode', 'profile-port', 'placement-host-address', 'scheduler-host-address'],
  ...['sentry-address', 'control-plane-trust-domain', 'control-plane-namespace', 'dapr-internal-grpc-listen-address'],
];
const SWITCHES_WITHOUT_EFFECT = ['enable-profiling', 'disable-builtin-k8s-secret-store'];

export function define(command: Command): void {
  command
    .requiredOption('--app-id <id>', "the app's name, by which others call it")
    .option('--app-port <port>', 'port of the app; 0: there is none to call', portArgument, 0)
    .addOption(
      new Option('--app-protocol <protocol>', 'how the app is called')
        .choices(['http', 'https', 'h2c', 'grpc', 'grpcs'])
        .default('http'),
    )
    .option('--app-channel-address <address>', 'address of the app', '127.0.0.1')
    .option('--app-max-concurrency <count>', 'calls to the app at one time; -1: no limit', countArgument, -1)
    .option('--dapr-http-port <port>', 'port of the HTTP API', portArgument, 3500)
    .option('--dapr-grpc-port <port>', 'port of the gRPC API', portArgument, 50001)
    .option('--dapr-listen-addresses <list>', 'addresses of the API, comma-separated', listArgument)
    .addOption(inboundPortOption())
    .option('--inbound-address <address>', "address for other apps' sidecars", '127.0.0.1')
    .option('--resources-path <dir>', "directory with this app's resources; repeatable", listArgument)
    .option('--config <file>', 'Configuration file; repeatable, later ones win', listArgument)
    .addOption(controlPlaneOption())
    .option('--enable-mtls [value]', 'refuse to run without mTLS; by itself it is on when the control plane has it')
    .addOption(new Option('--join-token <token>', 'proves the app to a control plane elsewhere').env('WEFT_JOIN_TOKEN'))
    .option('--join-token-file <file>', 'as --join-token, read anew for each use')
    .option('--identity-address <host:port>', "the control plane's --identity-port, for join tokens")
    .option('--trust-anchors-file <file>', 'PEM roots of that control plane: weft mtls export')
    .addOption(
      new Option('--api-door <door>', 'who listens on the API ports: Envoy, or the filter service')
        .choices(['envoy', 'service'])
        .default('service'),
    )
    .option('--unix-domain-socket <dir>', 'directory for the API on Unix sockets instead of ports')
    .option('--max-body-size <size>', 'largest request body, such as 4Mi', sizeArgument, 4 * 1024 * 1024)
    .option('--read-buffer-size <size>', 'largest request head, such as 4Ki', sizeArgument)
    .option('--dapr-graceful-shutdown-seconds <seconds>', 'how long requests under way may take when stopping', countArgument, 5)
    .option('--allowed-origins <list>', 'web pages that may use the HTTP API, comma-separated (* = all; default: none)')
    .option('--enable-api-logging [value]', 'log every API call', switchArgument)
    .option('--enable-metrics [value]', 'serve metrics', switchArgument)
    .option('--metrics-port <port>', 'port of the metrics; by itself 9090, or a free one where that is taken', portArgument)
    .option('--metrics-listen-address <address>', 'address of the metrics', '127.0.0.1')
    .addOption(new Option('--namespace <name>', 'namespace of the app').env('NAMESPACE').default('default'))
    .option('--label <name=value>', 'label of this instance, such as version=v2; repeatable', listArgument)
    .option('--envoy-concurrency <threads>', "Envoy's worker threads", countArgument, 1)
    .option('--enable-app-health-check [value]', "watch the app's health", switchArgument)
    .option('--app-health-check-path <path>', 'path of the health check', '/healthz')
    .option('--app-health-probe-interval <seconds>', 'time between two checks', countArgument, 5)
    .option('--app-health-probe-timeout <ms>', 'time until a check has failed', countArgument, 500)
    .option('--app-health-threshold <count>', 'failures until the app counts as unhealthy', countArgument, 3)
    .addOption(
      new Option('--log-level <level>', 'what to log')
        .choices(['debug', 'info', 'warn', 'error', 'fatal', 'panic'])
        .default('info'),
    )
    .option('--log-as-json [value]', 'log one JSON object a line', switchArgument)
    .option('--exit-on-stdin-close', 'stop when standard input ends')
    .action(sidecar);
  for (const flag of WITHOUT_EFFECT) command.addOption(new Option(`--${flag} <value>`).hideHelp());
  for (const flag of SWITCHES_WITHOUT_EFFECT) command.addOption(new Option(`--${flag} [value]`).hideHelp());
  withExamples(command, [
    ['For an app on port 6001', 'weft sidecar --app-id orders --app-port 6001'],
    ['A second one on the same machine', 'weft sidecar --app-id checkout --dapr-http-port 3501 --dapr-grpc-port 50002'],
  ]);
}

function inboundPortOption(): Option {
  const flags = '--dapr-internal-grpc-port, --inbound-port <port>';
  return new Option(flags, "port for other apps' sidecars; 0: a free one").argParser(portArgument).default(0);
}

async function sidecar(flags: SidecarFlags, command: Command): Promise<void> {
  const options = sidecarOptions(flags, process.env);
  const logger = createLogger({
    level: levelOf(flags.logLevel),
    json: flags.logAsJson === true,
    fields: { app_id: options.appId, scope: 'sidecar' },
  });
  for (const flag of [...WITHOUT_EFFECT, ...SWITCHES_WITHOUT_EFFECT])
    if (command.getOptionValue(flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())) !== undefined)
      logger.warn(`--${flag} has no effect in Weft`);
  // Before anything is started, so that a signal during the start finds its handler.
  const signals = stopSignals(flags.exitOnStdinClose === true);
  const startedAt = performance.now();
  const starting = new AbortController();
  let current: Sidecar | undefined;
  answerQuestions(() => current);
  void signals.stop.then(() => starting.abort());
  const running = await startSidecar(options, { logger, onShutdown: signals.request, signal: starting.signal }).catch(
    (error: unknown) => {
      if (starting.signal.aborted) return undefined;
      throw error;
    },
  );
  current = running;
  if (running !== undefined) {
    void running.ready.then(() =>
      // `ms` counts from the start of the process: what a person waits for.
      logger.info('ready', { ms: Math.round(performance.now()), start_ms: Math.round(performance.now() - startedAt) }),
    );
    const failure = await Promise.race([signals.stop, running.failed.catch((error: unknown) => error)]);
    await running.drain();
    if (failure instanceof UsageError) throw failure;
    if (failure !== undefined) throw new Error(messageOf(failure), { cause: failure });
  }
  logger.info('stopped');
  process.exit(0);
}

/** A second signal does not wait: Envoy ends with this process. */
function stopSignals(stdinToo: boolean): { readonly stop: Promise<undefined>; request(force: boolean): void } {
  let stop: () => void = () => {};
  const promise = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  let asked = false;
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (asked) process.exit(1);
      asked = true;
      stop();
    });
  }
  if (stdinToo) {
    process.stdin.on('end', stop).on('close', stop).on('error', stop);
    process.stdin.resume();
  }
  const request = (force: boolean) => {
    if (force) setTimeout(() => process.exit(1), 100);
    else stop();
  };
  return { stop: promise, request };
}
