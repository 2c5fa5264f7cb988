import { Command } from 'commander';
import { expect, it } from 'vitest';
import { define } from '../../../src/cli/commands/sidecar.js';
import { type SidecarFlags, sidecarOptions } from '../../../src/cli/sidecar-flags.js';

/** @returns the options that `weft sidecar --app-id orders <args>` makes in an environment */
function optionsOf(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const command = new Command();
  define(command);
  let flags: SidecarFlags | undefined;
  command.action((given: SidecarFlags) => {
    flags = given;
  });
  command.parse(['--app-id', 'orders', ...args], { from: 'user' });
  return sidecarOptions(flags as SidecarFlags, env);
}

it.each<[readonly string[], NodeJS.ProcessEnv, string | undefined]>([
  [[], {}, undefined],
  [['--namespace', 'prod'], {}, 'prod'],
  [[], { NAMESPACE: 'default' }, 'default'],
])('puts the namespace before keys only where one was given: %j %j', (args, env, expected) => {
  expect(optionsOf(args, env).keyNamespace).toBe(expected);
});

it('reads what it needs to watch the app’s health', () => {
  expect(optionsOf([]).appHealth).toBeUndefined();
  expect(optionsOf(['--enable-app-health-check', '--app-health-probe-interval', '2']).appHealth).toEqual({
    path: '/healthz',
    intervalMs: 2000,
    timeoutMs: 500,
    threshold: 3,
  });
});
