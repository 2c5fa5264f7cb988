/** @returns an expression for the whole of a text that `regex` is found somewhere in, as Go's MatchString does it */
export const anywhere = (regex: string): string => `(?s:.*)(?:${regex})(?s:.*)`;

/**
 * @returns an expression for the whole of path and query, where `regex` is found in the path. The end of the path is the end of
 * the text or a question mark; else a query would be a way around a filter.
 */
export function inPath(regex: string): string {
  let inClass = false;
  const ends = regex.replace(/\\[\s\S]|[[\]$]/g, (part) => {
    if (part === '[') inClass = true;
    else if (part === ']') inClass = false;
    return !inClass && (part === '$' || part === '\\z') ? '(?:\\?|$)' : part;
  });
  return anywhere(ends);
}
