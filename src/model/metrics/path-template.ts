/** A path as `metrics.http.pathMatching` has it: `/orders/{id}`, in the syntax of Go's ServeMux, which is what Dapr takes. */
export interface PathTemplate {
  /** As it stands in labels. */
  readonly text: string;
  /** Of the whole path, without query; in what RE2 and JavaScript have in common. */
  readonly regex: string;
  /** What makes one narrower than another: its segments, a wildcard as `*`, an open end as `**`. */
  readonly segments: readonly string[];
}

const WILDCARD = /^\{[A-Za-z_]\w*\}$/;
const REST = /^\{[A-Za-z_]\w*\.\.\.\}$/;
const END = '{$}';
const SEGMENT = '[^/?]+';
const ANYTHING = '[^?]*';

/** @returns why `text` cannot be used, one line with its remedy; undefined: it can */
export function pathTemplateProblem(text: string): string | undefined {
  const segments = segmentsOf(text);
  const bad = segments.find(
    (segment, index) =>
      /[{}]/.test(segment) &&
      !WILDCARD.test(segment) &&
      !((REST.test(segment) || segment === END) && index === segments.length - 1),
  );
  if (bad !== undefined) return `${bad} must be a whole segment such as {id}, or {rest...} at the end; change it`;
  return /[?#\s]/.test(text) ? 'must be a path without query and spaces; change it' : undefined;
}

/** @param text one that {@link pathTemplateProblem} finds nothing wrong with */
export function pathTemplate(text: string): PathTemplate {
  const given = segmentsOf(text);
  const last = given.at(-1) ?? '';
  // As in Go, a slash at the end stands for all that is below.
  const open = last === '' || REST.test(last);
  const fixed = open || last === END ? given.slice(0, -1) : given;
  const whole = fixed.map((segment) => `/${WILDCARD.test(segment) ? SEGMENT : literal(segment)}`).join('');
  const end = open ? `/${ANYTHING}` : last === END ? '/' : '';
  return {
    text: `/${given.join('/')}`,
    regex: `${whole}${end}`,
    segments: [...fixed.map((segment) => (WILDCARD.test(segment) ? '*' : segment)), ...(open ? ['**'] : [])],
  };
}

/** Sorts the narrower template first: of two that match, the one with a fixed segment where the other has a wildcard. */
export function compareTemplates(a: PathTemplate, b: PathTemplate): number {
  const length = Math.max(a.segments.length, b.segments.length);
  for (let index = 0; index < length; index++) {
    const difference = breadth(a.segments[index]) - breadth(b.segments[index]);
    if (difference !== 0) return difference;
  }
  return a.text < b.text ? -1 : a.text > b.text ? 1 : 0;
}

const breadth = (segment: string | undefined) => (segment === '**' ? 2 : segment === '*' ? 1 : 0);

const INVOKE = '/v1.0/invoke/';
/** @returns also the same paths as methods of an app that is called by name, as in Dapr */
export const withInvocations = (templates: readonly PathTemplate[]): readonly PathTemplate[] =>
  templates
    .flatMap((template) =>
      template.text.startsWith(INVOKE) ? [template] : [template, pathTemplate(`${INVOKE}{app_id}/method${template.text}`)],
    )
    .sort(compareTemplates);

const segmentsOf = (text: string): readonly string[] =>
  `/${text}`
    .replace(/\/{2,}/g, '/')
    .slice(1)
    .split('/');
const literal = (segment: string) => segment.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
