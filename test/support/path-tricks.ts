/** Paths as attacks write them (case S1), and what a server may make of them. */

/** What stands between and around the parts of a path in attacks, by what it is about. */
export const TRICKS: Readonly<Record<string, readonly string[]>> = {
  'dot segments': ['/x/../admin', '/./admin', '/x/./../admin', '/../admin', '/admin/..', '/admin/x/..', '/x/../../admin/y'],
  'escaped dots': ['/x/%2e%2e/admin', '/x/%2E./admin', '/%2e/admin', '/x/.%2e/admin/y'],
  'escaped slashes': ['/x/..%2fadmin', '/x%2f..%2fadmin', '/admin%2f', '/admin%2Fy', '/%2fadmin', '/x/%2e%2e%2fadmin'],
  'double escapes': ['/%2561dmin', '/x/..%252fadmin', '/x/%252e%252e/admin', '/admin%252fy', '/%%361dmin', '/%25%36%31dmin'],
  'double slashes': ['//admin', '///admin//y', '/x//../admin', '/x/..//admin'],
  backslashes: ['/admin%5Cy', '/x/..%5cadmin', '/x\\..\\admin', '\\admin', '/%5cadmin'],
  parameters: ['/admin;x', '/admin;x=1/y', '/;x/admin', '/x/..;/admin', '/admin%3bx', '/x/;/../admin'],
  fragments: ['/admin#', '/admin#x', '/x#/../admin', '/admin%23', '/admin%23x'],
  queries: ['/admin?', '/admin?x', '/admin?x=/../y', '/admin%3f', '/admin%3Fx', '/x?/../admin', '/admin??'],
  'percent signs': ['/admin%', '/admin%2', '/admin%zz', '/%admin', '/admin%%'],
  'NUL and control characters': [
    '/admin%00',
    '/admin%00x',
    '/admin\x00',
    '/admin%0a',
    '/admin%0d%0aX:y',
    '/admin\x01',
    '/admin%1f',
    '/admin%7f',
    '/admin\x7f',
    '/admin%09',
  ],
  case: ['/ADMIN', '/aDmIn/Y', '/%41dmin', '/adm%49n'],
  'letters and digits': ['/%61dmin', '/adm%69n', '/%61%64%6d%69%6e/y', '/admi%6E'],
  'trailing dots': ['/admin.', '/admin%2e', '/admin./y', '/admin../y', '/admin/.', '/admin/%2e'],
  'bytes that are no UTF-8': ['/admin%c0%af', '/x/..%c0%afadmin', '/admin\xff', '/%e0%80%afadmin', '/admin?\xff', '/admin%ff'],
  spaces: ['/admin%20', '/%20admin', '/admin+', '/admin '],
  'absolute form': ['http://x/admin', 'http://x//admin', 'http://admin/x'],
  plain: ['/admin', '/admin/', '/admin/y', '/admin/y?z=1'],
  harmless: ['/x', '/administrator', '/x/admin', '/x%20y', '/%C3%A9', '/a@b', '/x?admin'],
};
export const PATHS = Object.entries(TRICKS).flatMap(([about, paths]) => paths.map((path) => [about, path] as const));

/** Every way that some server may read a path. */
export function readings(url: string): string[] {
  const path = url.replace(/\?.*$/s, '');
  const steps: ((text: string) => string)[] = [
    decodeLeniently,
    (text) => text.replaceAll('\\', '/'),
    (text) => text.replace(/;[^/]*/g, ''),
    (text) => text.replace(/[\0#?].*$/s, ''),
    // biome-ignore lint/suspicious/noControlCharactersInRegex: some servers drop them
    (text) => text.replace(/[\u0000-\u001f\u007f]/g, ''),
    decodeLeniently,
    resolveDots,
    (text) => text.toLowerCase(),
  ];
  const all = [path];
  let text = path;
  for (const step of steps) {
    text = step(text);
    all.push(text, resolveDots(text).toLowerCase());
  }
  return all;
}

const decodeLeniently = (text: string) =>
  text.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
const resolveDots = (text: string) => {
  const clean: string[] = [];
  for (const part of text.split('/')) {
    if (part === '..') clean.pop();
    else if (part !== '' && part !== '.') clean.push(part);
  }
  return `/${clean.join('/')}`;
};
export const isAdmin = (path: string) => /^\/admin(\/|$)/.test(path);

/** @returns the target of a request for `path` below `prefix`; an absolute form stays one */
export const under = (prefix: string, path: string) =>
  path.startsWith('http:')
    ? path.replace(/^(http:\/\/x)?/, `$1${prefix}`)
    : `${prefix}${path.startsWith('/') ? path : `/${path}`}`;
