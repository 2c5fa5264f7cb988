/** W3C Baggage: the limits of its section 3.3.2, and its grammar. */
const MAX_BYTES = 8192;
const MAX_MEMBERS = 180;
const TOKEN = "[!#$%&'*+.^_`|~\\w-]+";
const VALUE = '[\\x21\\x23-\\x2b\\x2d-\\x3a\\x3c-\\x5b\\x5d-\\x7e]*';
const MEMBER = new RegExp(`^\\s*${TOKEN}\\s*=\\s*${VALUE}\\s*(?:;\\s*${TOKEN}\\s*(?:=\\s*${VALUE}\\s*)?)*$`);

/** @returns why `baggage` is none; undefined: it is */
export function baggageProblem(baggage: string): string | undefined {
  if (Buffer.byteLength(baggage) > MAX_BYTES) return `more than ${MAX_BYTES} bytes`;
  const members = baggage.split(',');
  if (members.length > MAX_MEMBERS) return `more than ${MAX_MEMBERS} members`;
  return members.every((member) => MEMBER.test(member)) ? undefined : 'a member is not key=value';
}
