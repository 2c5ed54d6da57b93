# Every form of the text in a file, a line each.
import sys, json, base64, urllib.parse, shlex
s = open(sys.argv[1]).read()
b = s.encode()
forms = [s, json.dumps(s)[1:-1], json.dumps(s, ensure_ascii=False)[1:-1], json.dumps(json.dumps(s))[3:-3],
    json.dumps(s).replace('&', chr(92) + 'u0026')[1:-1], urllib.parse.quote(s), urllib.parse.quote(s, safe=''),
    urllib.parse.quote_plus(s), ''.join('%%%02x' % c for c in b)]
for k in range(3):
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(b'xyz'[:k] + b + b'tail').decode()
        forms += [whole[(8 * k + 5) // 6 : 8 * (k + len(b)) // 6]]
print('\n'.join(dict.fromkeys(forms)))
