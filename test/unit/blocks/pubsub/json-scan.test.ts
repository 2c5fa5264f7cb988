import { describe, expect, it } from 'vitest';
import { isJson, scanObject } from '../../../../src/blocks/pubsub/json-scan.js';

const bytes = (text: string) => Buffer.from(text);

describe('isJson', () => {
  const valid = [
    'null',
    'true',
    ' false ',
    '0',
    '-0.5e+10',
    '12345678901234567890',
    '1E5',
    '"a"',
    '"\\u00e9\\n\\""',
    '"é😀"',
    '[]',
    '[ ]',
    '{}',
    '[1,[2,{"a":[]}],"x"]',
    '{"a":{"b":[1,2,{"c":null}]},"d":""}',
    '\n\t[ 1 , 2 ]\r\n',
  ];
  it.each(valid)('takes %s', (text) => expect(isJson(bytes(text))).toBe(true));

  const invalid = [
    '',
    ' ',
    'nul',
    'True',
    '01',
    '1.',
    '.5',
    '-',
    '1e',
    '+1',
    '"a',
    '"a\nb"',
    '"\\x"',
    '"\\u12g4"',
    '[1,]',
    '[1 2]',
    '[',
    '[}',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{a:1}',
    '{"a":1}}',
    '1 2',
    "'a'",
    'undefined',
    'NaN',
  ];
  it.each(invalid)('refuses %j', (text) => expect(isJson(bytes(text))).toBe(false));

  it('refuses text that is not UTF-8', () => {
    expect(isJson(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toBe(false);
  });

  it('agrees with JSON.parse on mutations of a document', () => {
    const document = '{"a":[1,-2.5e3,"x\\u00e9\\"",{"b":null}],"c":{"d":true,"e":[]},"f":" y "}';
    for (let i = 0; i < document.length; i++) {
      for (const change of ['', '"', '{', '}', ',', ':', '0', ' ', '\\', ']', '\u0001']) {
        const text = document.slice(0, i) + change + document.slice(i + 1);
        let parses = true;
        try {
          JSON.parse(text);
        } catch {
          parses = false;
        }
        expect(isJson(bytes(text)), text).toBe(parses);
      }
    }
  });

  it('survives depth that would overflow a stack, and refuses it beyond ten thousand levels', () => {
    expect(isJson(bytes('['.repeat(9_999) + ']'.repeat(9_999)))).toBe(true);
    expect(isJson(bytes('['.repeat(2_000_000)))).toBe(false);
  });
});

describe('scanObject', () => {
  const read = (text: string) => {
    const source = bytes(text);
    const fields = scanObject(source);
    return fields && [...fields].map(([name, { start, end }]) => [name, source.toString('utf8', start, end)]);
  };

  it('gives each field’s bytes untouched', () => {
    expect(read(' { "id" : "1", "n":12345678901234567890 ,"data": {"a" : [1, "}" ]}, "z":null} ')).toEqual([
      ['id', '"1"'],
      ['n', '12345678901234567890'],
      ['data', '{"a" : [1, "}" ]}'],
      ['z', 'null'],
    ]);
  });
  it('decodes escaped names and keeps the last of a repeated one', () => {
    expect(read('{"\\u0069d":1,"id":2}')).toEqual([['id', '2']]);
  });
  it('takes the empty object', () => expect(read('{ }')).toEqual([]));
  it.each(['[]', '"x"', '{"a":1', '{"a":1}x', '{"a":1,}', '{1:2}', '', '{"a" 1}'])('refuses %s', (text) =>
    expect(read(text)).toBeUndefined(),
  );
});
