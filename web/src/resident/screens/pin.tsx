/** The PIN: the first one, another one, or a reset by one-time code. It is typed twice, and kept nowhere. */
import { useRef, useState } from 'preact/hooks';
import { c, failureText } from '../../common/text';
import { Banner, Button, PinPad, Skeleton, Stack, TextField, toast } from '../../kit';
import { type Failure, call } from '../../lib/call';
import { asFailure, useAct } from '../../lib/load';
import { go } from '../../lib/router';
import { SubScreen } from '../screen';
import { useMe } from '../state';
import { Failed, Refused, pinLabels } from '../states';
import type { ScreenProps } from '../app';
import { t } from '../text';

type Step = 'old' | 'code' | 'new' | 'again';

export default function Pin({ query }: ScreenProps) {
  const me = useMe();
  const next = query.get('next') ?? '/me';
  const back = `#${next}`;
  if (!me.data) {
    return (
      <SubScreen title={t('pin.set')} back={back}>
        {me.failure && !me.busy ? <Failed failure={me.failure} retry={me.reload} /> : <Skeleton shape="card" label={c('loading')} />}
      </SubScreen>
    );
  }
  const { has_pin, pin_locked, phone } = me.data.resident;
  const reset = pin_locked || query.has('reset');
  return <Entry key={String(reset)} first={reset ? 'code' : has_pin ? 'old' : 'new'} title={t(reset ? 'pin.reset' : has_pin ? 'pin.change' : 'pin.set')} phone={phone} next={next} />;
}

function Entry({ first, title, phone, next }: { first: Step; title: string; phone: string; next: string }) {
  const [step, setStep] = useState<Step>(first);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure>();
  const [differ, setDiffer] = useState(false);
  const [code, setCode] = useState('');
  const typed = useRef({ old: '', pin: '' }); // until the request is answered, no longer
  const forget = () => (typed.current = { old: '', pin: '' });
  const send = useAct(() => call('post', '/v1/sign-in/code', { body: { phone } }).then(() => toast(t('pin.code.sent'), 'ok')));
  const finish = async (pin: string) => {
    setBusy(true);
    const { old } = typed.current;
    forget();
    try {
      if (first === 'code') await call('post', '/v1/me/pin/reset', { body: { code, pin } });
      else await call('put', '/v1/me/pin', { body: { pin, old: first === 'old' ? old : undefined } });
      toast(t('pin.done'), 'ok');
      go(next);
    } catch (error) {
      setFailure(asFailure(error));
      setStep(asFailure(error).code === 'pin_unacceptable' && first === 'new' ? 'new' : first);
    }
    setBusy(false);
  };
  const complete = (pin: string) => {
    setFailure(undefined);
    setDiffer(false);
    if (step === 'old') {
      typed.current.old = pin;
      setStep('new');
    } else if (step === 'new') {
      typed.current.pin = pin;
      setStep('again');
    } else if (pin === typed.current.pin) {
      void finish(pin);
    } else {
      typed.current.pin = '';
      setDiffer(true);
      setStep('new');
    }
  };
  return (
    <SubScreen title={title} back={`#${next}`}>
      {step === 'code' ? (
        <form
          onSubmit={(e) => {
            e.preventDefault();
            if (/^\d{6}$/.test(code)) setStep('new');
          }}
        >
          <Stack>
            <Banner tone="info">{t('pin.reset.note')}</Banner>
            <TextField
              label={t('signin.code')}
              inputMode="numeric"
              autocomplete="one-time-code"
              mono
              maxLength={6}
              value={code}
              onInput={(text) => setCode(text.replace(/\D/g, '').slice(0, 6))}
              after={
                <Button kind="quiet" small busy={send.busy} onClick={() => send.run()}>
                  {t('signin.send')}
                </Button>
              }
            />
            <Refused failure={send.failure ?? failure} />
            <Button kind="primary" type="submit" block disabled={code.length !== 6}>
              {t('next')}
            </Button>
          </Stack>
        </form>
      ) : (
        <PinPad
          key={step}
          title={t(`pin.step.${step}`)}
          note={step === 'new' ? t('pin.rule') : undefined}
          labels={pinLabels()}
          onComplete={complete}
          busy={busy}
          error={differ ? t('pin.differ') : failure ? failureText(failure) : undefined}
        />
      )}
      {step === 'old' && (
        <p class="center">
          <Button kind="quiet" href={`#/me/pin?reset=1&next=${encodeURIComponent(next)}`}>
            {t('pin.forgot')}
          </Button>
        </p>
      )}
    </SubScreen>
  );
}
