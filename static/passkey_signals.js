// Tells the device which passkeys the site still has, and the name and address of the account (WebAuthn Level 3, Signal
// methods). A browser that lacks one of them keeps what it has. See app/mfa/webauthn.py.

const page = document.querySelector("[data-signal-account]");

async function signal(method, details) {
  try {
    await window.PublicKeyCredential?.[method]?.(details);
  } catch {
    // the device could not be told: it hears the same at the next visit
  }
}

async function tell() {
  const { signalAccount: account, signalUnknown: unknown } = page.dataset;
  if (unknown) await signal("signalUnknownCredential", JSON.parse(unknown));
  if (!account) return;
  const { rpId, userId, allAcceptedCredentialIds, name, displayName } = JSON.parse(account);
  await signal("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds });
  await signal("signalCurrentUserDetails", { rpId, userId, name, displayName });
}

tell();
