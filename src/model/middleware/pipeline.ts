import { createHash } from 'node:crypto';
import { Component } from '../../gen/weft/config/v1/config.js';
import type { LocalMiddleware } from '../../gen/weft/registry/v1/registry.js';
import { isHarmless, readMiddleware } from './kinds.js';
import type { Middleware } from './types.js';

/** `spec.httpPipeline` and `spec.appHttpPipeline` (reference §4.2). */
export interface PipelineSpec {
  readonly handlers?: readonly Handler[];
}

export interface Handler {
  /** A component's name. */
  readonly name: string;
  readonly type: string;
  readonly version?: string;
  /** Dapr reads it and does nothing with it. */
  readonly selector?: unknown;
}

/** A handler that is applied. */
export interface BuiltStep {
  readonly handler: Handler;
  readonly middleware: Middleware;
  /** What the sidecar has told about the component, if anything depends on it. */
  readonly local: LocalMiddleware | undefined;
}

/** A handler that cannot be applied. */
export interface MissingStep {
  readonly handler: Handler;
  /** One line with the remedy; undefined: it only needs time. */
  readonly problem: string | undefined;
  /** True: the pipeline must let nothing pass. */
  readonly closed: boolean;
}

/** One handler of a pipeline, in its place. */
export type Step = BuiltStep | MissingStep;

export const isBuilt = (step: Step): step is BuiltStep => 'middleware' in step;

export interface PipelineInput {
  readonly spec: PipelineSpec | undefined;
  /** Those in the app's scopes. */
  readonly components: readonly Component[];
  /** What the app's sidecar knows of them. */
  readonly local: readonly LocalMiddleware[];
  /** The steps as they were last. */
  readonly before?: readonly Step[] | undefined;
}

/**
 * @returns the steps of a pipeline in their order. One that cannot be built is as it was when it last could; if it never could, it
 * lets nothing pass, unless it guards nothing.
 */
export function pipelineSteps({ spec, components, local, before = [] }: PipelineInput): readonly Step[] {
  return (spec?.handlers ?? []).map((handler) => {
    const step = build(handler, components, local);
    if (isBuilt(step)) return step;
    const last = before.find((it) => isBuilt(it) && it.handler.name === handler.name && it.handler.type === handler.type);
    return last ?? step;
  });
}

/** @returns what is wrong with a pipeline as it is written now, one line each */
export const pipelineProblems = (input: Omit<PipelineInput, 'before'>): readonly string[] =>
  pipelineSteps(input).flatMap((step) => {
    if (!isBuilt(step)) return step.problem ? [`${step.handler.name}: ${step.problem}`] : [];
    return step.handler.selector
      ? [`${step.handler.name}: its selector has no effect, as in Dapr; it is applied to every call`]
      : [];
  });

function build(handler: Handler, components: readonly Component[], local: readonly LocalMiddleware[]): Step {
  const { name, type, version } = handler;
  const missing = (problem?: string): MissingStep => ({ handler, problem, closed: !isHarmless(type) });
  const named = components.filter((it) => it.name === name);
  // Its namespace's own one hides that of all namespaces.
  const component = named.find((it) => it.namespace !== '') ?? named.at(-1);
  if (!component) return missing(`there is no component of this name in the app's scopes; add one of type ${type}`);
  if (component.type !== type || (component.version || 'v1') !== (version || 'v1')) {
    const is = `${component.type}/${component.version || 'v1'}`;
    return missing(`is ${is} (${component.source}), and the pipeline asks for ${type}/${version || 'v1'}; make them the same`);
  }
  const read = readMiddleware(component);
  if ('problems' in read) return missing(read.problems.join('; '));
  const { middleware } = read;
  if (!needsSidecar(middleware)) return { handler, middleware, local: undefined };
  const known = local.find((it) => it.name === name && it.version === componentVersion(component));
  return known ? { handler, middleware, local: known } : missing();
}

/** @returns whether the control plane cannot translate it before the sidecar has read its files, secrets or module */
export function needsSidecar(middleware: Middleware): boolean {
  return middleware.kind === 'bearer' ? middleware.jwksUrl === undefined : WITH_SIDECAR.has(middleware.kind);
}
const WITH_SIDECAR: ReadonlySet<Middleware['kind']> = new Set(['oauth2', 'client-credentials', 'ext-proc']);

/** @returns what tells two contents of a component apart, wherever its file lies: the same at the control plane and at the sidecar */
export const componentVersion = (component: Component): string =>
  createHash('sha256')
    .update(Component.encode({ ...component, source: '' }).finish())
    .digest('hex')
    .slice(0, 16);
