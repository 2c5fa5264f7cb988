import type { Instance } from '../gen/weft/registry/v1/registry.js';
import { APP_ID_PATTERN, NAMESPACE_PATTERN } from '../model/instance.js';

const INSTANCE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const ACTOR_TYPE = /^[^|~/\s]{1,128}$/;
const MAX_ACTOR_TYPES = 256;
const MAX_LABELS = 64;
const MAX_REPORTS = 64;
const MAX_REPORT = 1000;

/** @returns what is wrong with an instance that wants to attach, one line each with place and remedy */
export function instanceProblems(instance: Instance): readonly string[] {
  const problems: string[] = [];
  const check = (right: boolean, problem: string) => {
    if (!right) problems.push(problem);
  };
  check(
    APP_ID_PATTERN.test(instance.appId),
    `app id "${instance.appId}" is not valid: use 1 to 64 letters, digits, "-" and "_", with a letter or digit at both ends (--app-id)`,
  );
  check(
    NAMESPACE_PATTERN.test(instance.namespace),
    `namespace "${instance.namespace}" is not valid: use 1 to 63 lower-case letters, digits and "-" (--namespace)`,
  );
  check(
    INSTANCE_ID.test(instance.instanceId),
    `instance id "${instance.instanceId}" is not valid: use letters, digits, ".", "-" and "_"`,
  );
  check(
    instance.address !== '' && isPort(instance.inboundPort),
    `inbound address "${instance.address}:${instance.inboundPort}" is not valid`,
  );
  check(
    instance.appPort === 0 || isPort(instance.appPort),
    `app port ${instance.appPort} is not valid: use 1 to 65535 (--app-port)`,
  );
  check(
    instance.actorTypes.length <= MAX_ACTOR_TYPES,
    `${instance.actorTypes.length} actor types are too many: at most ${MAX_ACTOR_TYPES}`,
  );
  for (const type of instance.actorTypes)
    check(ACTOR_TYPE.test(type), `actor type "${type}" is not valid: use 1 to 128 characters without "|", "~", "/" and blanks`);
  check(
    instance.problems.length <= MAX_REPORTS && instance.problems.every(({ length }) => length <= MAX_REPORT),
    `more than ${MAX_REPORTS} problems, or one of more than ${MAX_REPORT} characters: report fewer`,
  );
  check(Object.keys(instance.labels).length <= MAX_LABELS, `more than ${MAX_LABELS} labels`);
  for (const path of [...instance.resourcesPaths, ...instance.configPaths])
    check(path.startsWith('/'), `resource path "${path}" is not absolute`);
  return problems;
}

const isPort = (port: number) => Number.isInteger(port) && port > 0 && port <= 65_535;
