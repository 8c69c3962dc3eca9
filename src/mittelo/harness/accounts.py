"""Variables of accounts that more than one CLI takes, and the hosts that their keys are for.

From the tables of pi 0.73.1 (`env-api-keys.js`, `models.generated.js`) and the documentation of
claude on Bedrock and Vertex.
"""

from collections.abc import Iterable, Mapping

AWS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CONFIG_FILE",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SHARED_CREDENTIALS_FILE",
)
GOOGLE = (
    "GCLOUD_PROJECT",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_CLOUD_PROJECT",
)
PROVIDERS: Mapping[str, str] = {
    "AI_GATEWAY_API_KEY": "ai-gateway.vercel.sh",
    "ANTHROPIC_API_KEY": "api.anthropic.com",
    "ANTHROPIC_OAUTH_TOKEN": "api.anthropic.com",
    "CEREBRAS_API_KEY": "api.cerebras.ai",
    "DEEPSEEK_API_KEY": "api.deepseek.com",
    "FIREWORKS_API_KEY": "api.fireworks.ai",
    "GEMINI_API_KEY": "generativelanguage.googleapis.com",
    "GOOGLE_GENERATIVE_AI_API_KEY": "generativelanguage.googleapis.com",
    "GROQ_API_KEY": "api.groq.com",
    "HF_TOKEN": "router.huggingface.co",
    "KIMI_API_KEY": "api.kimi.com",
    "MINIMAX_API_KEY": "api.minimax.io",
    "MISTRAL_API_KEY": "api.mistral.ai",
    "MOONSHOT_API_KEY": "api.moonshot.ai",
    "OPENAI_API_KEY": "api.openai.com",
    "OPENCODE_API_KEY": "opencode.ai",
    "OPENROUTER_API_KEY": "openrouter.ai",
    "XAI_API_KEY": "api.x.ai",
    "ZAI_API_KEY": "api.z.ai",
}
"""The variable that holds a key, and the host that takes it."""


def hosts_of(env: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """Return the hosts of the providers whose keys an environment holds, each once."""
    return [*dict.fromkeys(PROVIDERS[name] for name in names if env.get(name))]
