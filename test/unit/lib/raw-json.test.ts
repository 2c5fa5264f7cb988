import { describe, expect, it } from 'vitest';
import { bytesOf, decode, elementsOf, membersOf, rawJson } from '../../../src/lib/raw-json.js';

const parse = (text: string) => rawJson(Buffer.from(text));
const texts = (text: string) => elementsOf(parse(text))?.map((element) => bytesOf(element).toString());

describe('raw JSON', () => {
  it('gives the bytes of each element as they were written', () => {
    expect(texts(' [ 1.0 , 9007199254740993,"\\u00e9]" ,{"a":[1, 2]} , [ ] ,null,-1e3]')).toEqual([
      '1.0',
      '9007199254740993',
      '"\\u00e9]"',
      '{"a":[1, 2]}',
      '[ ]',
      'null',
      '-1e3',
    ]);
    expect(texts('[]')).toEqual([]);
    expect(texts('[ ]')).toEqual([]);
  });

  it('gives members in order, repeated and escaped names included', () => {
    const members = membersOf(parse('{"a":1,"\\u0061" : {"b":"}\\"{"} ,"é":[],"a":"x"}'));
    expect(members?.map(({ name, value }) => [name, bytesOf(value).toString()])).toEqual([
      ['a', '1'],
      ['a', '{"b":"}\\"{"}'],
      ['é', '[]'],
      ['a', '"x"'],
    ]);
    expect(membersOf(parse('{ }'))).toEqual([]);
  });

  it('is not misled by quotes and brackets inside strings', () => {
    const text = '["\\\\","\\"","]","[{","\\\\\\""]';
    expect(elementsOf(parse(text))?.map(decode)).toEqual(JSON.parse(text));
  });

  it('agrees with JSON.parse on values of every shape', () => {
    const value = { a: [1, [2, { b: 'ü"\\\n' }], true, null, {}], c: { d: [[], [{}]] }, 'k"]}': -0.5e-7 };
    for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2), JSON.stringify([value, [value]])]) {
      const whole = parse(text);
      const rebuilt = (membersOf(whole)?.map(({ name, value: member }) => [name, decode(member)]) ??
        elementsOf(whole)?.map(decode)) as never;
      expect(membersOf(whole) ? Object.fromEntries(rebuilt) : rebuilt).toEqual(JSON.parse(text));
    }
  });

  it('says when a value is neither array nor object', () => {
    expect(elementsOf(parse('{}'))).toBeUndefined();
    expect(membersOf(parse('[]'))).toBeUndefined();
    expect(membersOf(parse(' "x" '))).toBeUndefined();
  });

  it.each(['', '[1,]', '{"a":}', '[1] [2]', '"a', '{"a" 1}', '[01]', "['a']"])('refuses %j', (text) => {
    expect(() => parse(text)).toThrow(SyntaxError);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => rawJson(Buffer.from([0x22, 0xff, 0x22]))).toThrow('UTF-8');
  });
});
