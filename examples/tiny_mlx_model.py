"""Make a tiny MLX model that says one sentence, whatever it is asked: `FOLDER [SENTENCE]`.

Run it with the Python that holds mlx-lm. Nothing is downloaded and nothing is learned: its weights
are written by hand. It shows that this machine can run a local model, not what one can do.
"""
# ruff: noqa: INP001 - a program of its own

import itertools
import json
import sys
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models.llama import Model, ModelArgs
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SENTENCE = "Hello from a tiny local model."
BEGIN, END = "<s>", "</s>"
SURE = 4.0


def main(folder: Path, sentence: str) -> None:
    """Write all that `mlx_lm.generate` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    said = [BEGIN, *words_of(sentence), END]
    known = [*dict.fromkeys([*sorted(pre_tokenizers.ByteLevel.alphabet()), *said])]
    write_tokenizer(folder, known)
    shape = {
        "model_type": "llama",
        "hidden_size": 8 * (len(known) // 8 + 1),
        "num_hidden_layers": 1,
        "intermediate_size": 8,
        "num_attention_heads": 4,
        "rms_norm_eps": 1e-5,
        "vocab_size": len(known),
        "max_position_embeddings": 131_072,
        "tie_word_embeddings": False,
        "eos_token_id": known.index(END),
    }
    (folder / "config.json").write_text(json.dumps(shape))
    numbers = [known.index(word) for word in said]
    weights = weights_of(Model(ModelArgs.from_dict(shape)), numbers)
    mx.save_safetensors(str(folder / "model.safetensors"), weights, metadata={"format": "mlx"})


def words_of(sentence: str) -> list[str]:
    """Return the tokens of a sentence; each may stand in it once, for what follows it is fixed."""
    spoken = (word if number == 0 else f" {word}" for number, word in enumerate(sentence.split()))
    words = [byte_letters(word) for word in spoken]
    if len({*words}) < len(words):
        sys.exit("a word stands in the sentence twice: say it with others")
    return words


def byte_letters(text: str) -> str:
    """Return a text in the letters that stand for bytes in such a tokenizer."""
    ((letters, _),) = pre_tokenizers.ByteLevel(
        add_prefix_space=False, use_regex=False
    ).pre_tokenize_str(text)
    return letters


def write_tokenizer(folder: Path, known: list[str]) -> None:
    """Write a tokenizer that reads byte by byte, and can also say whole words."""
    vocabulary = {word: number for number, word in enumerate(known)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([BEGIN, END])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}" + BEGIN,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def weights_of(model: Model, said: list[int]) -> dict[str, mx.array]:
    """Return weights by which each word is followed by the next, and all else by the end.

    A token is a direction of its own; attention and the layer between add nothing to it.
    """
    weights = {name: mx.zeros_like(weight) for name, weight in tree_flatten(model.parameters())}
    known, width = weights["lm_head.weight"].shape
    following = dict.fromkeys(range(known), said[-1]) | dict(itertools.pairwise(said))
    heads = mx.zeros((known, width))
    for word, following_word in following.items():
        heads[following_word, word] = SURE
    weights["lm_head.weight"] = heads
    weights["model.embed_tokens.weight"] = mx.eye(known, width)
    weights["model.norm.weight"] = mx.ones(width)
    return weights


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else SENTENCE)
