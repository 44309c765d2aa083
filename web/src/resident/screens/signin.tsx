/** Signing in: by phone and one-time code, or by a passkey. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { c } from '../../common/text';
import { Button, Page, Stack, TextField } from '../../kit';
import { call } from '../../lib/call';
import { useAct } from '../../lib/load';
import { signIn } from '../../lib/session';
import { recall } from '../kept';
import { LanguageChoice } from '../language';
import { hasPasskeys, usePasskey } from '../passkey';
import { enter } from '../state';
import { Refused } from '../states';
import { t } from '../text';

const RESEND_S = 60;
const PHONE = /^(?:1[3-9]\d{9}|\+[1-9]\d{6,14})$/;
const bare = (phone: string): string => phone.replace(/[\s-]/g, '');
/** `13800001111` as `138 0000 1111`. */
const spaced = (phone: string): string => phone.replace(/^(1\d{2})(\d{4})(\d{4})$/, '$1 $2 $3');

export default function SignIn() {
  const [phone, setPhone] = useState('');
  const [sentTo, setSentTo] = useState<string>();
  const [wrong, setWrong] = useState(false);
  const [until, setUntil] = useState(0);
  useEffect(() => {
    void recall<string>('phone').then((kept) => kept && setPhone((now) => now || kept.data));
  }, []);
  const ask = useAct(async () => {
    const to = bare(phone);
    await call('post', '/v1/sign-in/code', { body: { phone: to } });
    setUntil(Date.now() + RESEND_S * 1000);
    setSentTo(to);
  });
  const key = useAct(async () => enter(await usePasskey()));
  if (sentTo !== undefined) {
    return <Code key={sentTo} phone={sentTo} until={until} resend={ask.run} resending={ask.busy} back={() => setSentTo(undefined)} failure={ask.failure} />;
  }
  return (
    <Page title={t('signin.title')} key="phone">
      <p class="lead">{t('signin.lead')}</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const fits = PHONE.test(bare(phone));
          setWrong(!fits);
          if (fits) ask.run();
        }}
      >
        <Stack>
          <TextField
            label={t('signin.phone')}
            type="tel"
            inputMode="tel"
            autocomplete="tel"
            name="phone"
            value={phone}
            onInput={(value) => {
              setPhone(value);
              setWrong(false);
            }}
            error={wrong ? c('error.phone_malformed') : undefined}
          />
          <Refused failure={ask.failure} />
          <Button kind="primary" type="submit" block busy={ask.busy}>
            {t('signin.send')}
          </Button>
          {hasPasskeys() && (
            <Button icon="passkey" block busy={key.busy} onClick={() => key.run()}>
              {t('signin.passkey')}
            </Button>
          )}
          <Refused failure={key.failure?.code === 'cancelled' ? undefined : key.failure} />
        </Stack>
      </form>
      <div class="foot-choice">
        <Button kind="quiet" icon="city" href="#/status">
          {t('status.title')}
        </Button>
        <LanguageChoice />
      </div>
    </Page>
  );
}

function useLeft(until: number): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.ceil((until - now) / 1000));
}

function Code(p: {
  phone: string;
  until: number;
  resend: () => void;
  resending: boolean;
  back: () => void;
  failure: Parameters<typeof Refused>[0]['failure'];
}) {
  const [code, setCode] = useState('');
  const [name, setName] = useState('');
  const left = useLeft(p.until);
  const tried = useRef('');
  const act = useAct(async (digits: string) => {
    const given = name.trim();
    await enter(await signIn({ as: 'resident', phone: p.phone, code: digits, ...(given ? { name: given } : {}) }));
  });
  const typed = (text: string) => {
    // A pasted message counts: its first run of six digits is the code.
    const digits = /\d{6}/.exec(text)?.[0] ?? text.replace(/\D/g, '').slice(0, 6);
    setCode(digits);
    act.clear();
    // Filled in by the phone or pasted whole: nothing more to press, unless a name is being given.
    if (digits.length === 6 && text.length - code.length > 1 && tried.current !== digits && name === '') {
      tried.current = digits;
      act.run(digits);
    }
  };
  return (
    <Page title={t('signin.code.title')} back={p.back} backLabel={c('back')}>
      <p class="lead">{t('signin.code.sent', { phone: spaced(p.phone) })}</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (code.length === 6) act.run(code);
        }}
      >
        <Stack>
          <TextField
            label={t('signin.code')}
            inputMode="numeric"
            autocomplete="one-time-code"
            name="code"
            mono
            focus
            value={code}
            onInput={typed}
            error={act.failure?.code === 'code_wrong' ? c('error.code_wrong') : undefined}
            after={
              <Button kind="quiet" small disabled={left > 0} busy={p.resending} onClick={p.resend}>
                {left > 0 ? t('signin.again.in', { s: left }) : t('signin.again')}
              </Button>
            }
          />
          <TextField label={t('signin.name')} hint={t('signin.name.hint')} autocomplete="name" name="name" maxLength={40} value={name} onInput={setName} />
          <Refused failure={p.failure} />
          <Refused failure={act.failure?.code === 'code_wrong' ? undefined : act.failure} />
          <Button kind="primary" type="submit" block busy={act.busy} disabled={code.length !== 6}>
            {t('signin.enter')}
          </Button>
        </Stack>
      </form>
    </Page>
  );
}
