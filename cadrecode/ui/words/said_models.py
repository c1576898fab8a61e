"""What rebuilding, models, training and evaluation say, sentence by sentence: English as it is raised, Simplified Chinese.

Gaps have the same names on both sides; one that begins with _ is English grammar, and may be left out. See `said`.
"""

SAID_OF_MODELS = {
    # rebuilding, files, links, batches
    "Another one is still going on.": "另一个仍在进行。",
    "Wait for it, or cancel it.": "请等待它完成，或取消它。",
    "There is no cloud yet: drop a file or pick a sample.": "还没有点云：请拖入文件或选择示例。",
    "STEP and BREP files need the OpenCASCADE sandbox, which is off on this link.":
        "STEP 和 BREP 文件需要 OpenCASCADE 沙箱，此链接上已关闭。",
    "None of the {n} candidates is a valid solid.": "{n} 个候选都不是有效实体。",
    "None of the {n} candidates is a valid solid, so there is nothing to write.": "{n} 个候选都不是有效实体，没有可写出的内容。",
    "Try more candidates, another seed or a higher temperature.": "请尝试更多候选、其他种子或更高的温度。",
    "Stopped before the model had written a program.": "模型写出程序之前已停止。",
    "It was stopped early: not all candidates were drawn.": "提前停止：没有生成全部候选。",
    "Candidate {n} is nearer, but was passed over.": "候选 {n} 更接近，但被跳过。",
    "No STEP: it needs the OpenCASCADE sandbox.": "没有 STEP：需要 OpenCASCADE 沙箱。",
    "No STEP: OpenCASCADE could not build the program ({reason}).": "没有 STEP：OpenCASCADE 无法构建此程序（{reason}）。",
    "The STL holds Manifold's mesh, its circles as straight pieces.": "STL 是 Manifold 的网格，圆由直线段组成。",
    "There is no part yet to share: press Rebuild first.": "还没有可分享的零件：请先点击“重建”。",
    "This link cannot be read: it is cut short, or it is not from this app.": "无法读取此链接：不完整，或不是本应用生成的。",
    "There is no cloud, mesh or STEP file to rebuild.": "没有可重建的点云、网格或 STEP 文件。",
    "There is no cloud, mesh or STEP file to rebuild. {why}": "没有可重建的点云、网格或 STEP 文件。{why}",
    "Drop several files, or a zip of them.": "请拖入多个文件，或它们的 zip。",
    "not a kind of file that is read ({suffixes})": "不是可读取的文件类型（{suffixes}）",
    "{name} holds {n} files; at most {most} are taken at once.": "{name} 含 {n} 个文件；一次最多 {most} 个。",
    "{name} unpacks to over {n} GB.": "{name} 解压后超过 {n} GB。",
    "Split it.": "请拆分。",
    "{name} is encrypted.": "{name} 已加密。",
    "Pack it again without a password.": "请不设密码重新打包。",
    "{name} is not a zip file, or it is cut short: {error}.": "{name} 不是 zip 文件，或不完整：{error}。",
    # settings
    "unknown setting {name}.": "未知的设置 {name}。",
    "{name} is given twice: {a}, and {b} as {other}.": "{name} 给了两次：{a}，以及 {other} 为 {b}。",
    "{path}: no such file.": "{path}：没有这个文件。",
    "Beside it there are: {names}.": "旁边有：{names}。",
    "{path}: not readable as YAML.": "{path}：无法按 YAML 读取。",
    "{path}: not readable as YAML. {error}": "{path}：无法按 YAML 读取。{error}",
    "{path}: holds {kind}, expected lines of `name: value`.": "{path}：内容是 {kind}，应为 `name: value` 的行。",
    "{path}: {names} stands there twice.": "{path}：{names} 出现了两次。",
    "Keep one line each.": "每项只保留一行。",
    "form": "表单",
    "{four} holds the base in 4 bits, load_in_8bit in 8: turn one off.":
        "{four} 以 4 位保存基础模型，load_in_8bit 以 8 位：请关闭其中一个。",
    "max_seq_length ({n}) has no room for a program after n_points ({points}): the guide uses {guide}.":
        "max_seq_length（{n}）在 n_points（{points}）之后没有程序的空间：指南用 {guide}。",
    "save_steps ({n}) must be a multiple of eval_steps ({m}), so that the best evaluation has a checkpoint: use save_steps "
    "{multiple}, or no load_best_model_at_end.":
        "save_steps（{n}）必须是 eval_steps（{m}）的倍数，使最好的评估有检查点：用 save_steps {multiple}，或关闭 load_best_model_at_end。",
    "merge_final_only asks for a merge at the end and auto_merge_final forbids it: change one of them.":
        "merge_final_only 要求结束时合并，而 auto_merge_final 禁止：请更改其中一个。",
    "with keep_lora_final and auto_merge_final both false nothing would be left at the end.":
        "keep_lora_final 和 auto_merge_final 都为 false 时，结束后什么都不会留下。",
    "load_best_model_at_end needs the adapters that keep_lora_only=false deletes from the checkpoints.":
        "load_best_model_at_end 需要检查点中的适配器，而 keep_lora_only=false 会删除它们。",
    "lora_target_modules has {names}; the layers to choose from: {layers}.":
        "lora_target_modules 含有 {names}；可选的层：{layers}。",
    "use_swanlab and report_to: {name} name two trackers.": "use_swanlab 与 report_to: {name} 指定了两个跟踪器。",
    "The warm-up ({n} steps) is not over when training ends ({m} steps): try warmup_steps {k}.":
        "训练结束（{m} 步）时预热（{n} 步）还没有结束：请尝试 warmup_steps {k}。",
    "learning_rate {x} is far above the 2e-4 to 5e-4 that suit LoRA.": "learning_rate {x} 远高于适合 LoRA 的 2e-4 到 5e-4。",
    "lora_alpha ({a}) is below lora_r ({r}); twice lora_r is usual.": "lora_alpha（{a}）低于 lora_r（{r}）；通常为 lora_r 的两倍。",
    # data
    "{n} processes were started, and each needs a GPU of its own: {there} can be seen here.": (
        "启动了 {n} 个进程，每个都需要自己的 GPU：这里只能看到 {there} 块。"
    ),
    "Start {there}, or set device to cpu.": "请启动 {there} 个，或将 device 设为 cpu。",
    "FSDP cuts up frozen layers of floating-point numbers, and this base has {found}.": (
        "FSDP 切分的是浮点数的冻结层，而此基础模型的情况是：{found}。"
    ),
    "no frozen layers": "没有冻结的层",
    "layers in {dtype}": "{dtype} 的层",
    "The launcher asks for FSDP, and a base in {bits} bits cannot be cut up.": (
        "启动器要求使用 FSDP，而 {bits} 位的基础模型无法切分。"
    ),
    "Turn use_qlora, load_in_4bit and load_in_8bit off, or start it without the FSDP configuration.": (
        "请关闭 use_qlora、load_in_4bit 和 load_in_8bit，或不使用 FSDP 配置启动。"
    ),
    "fsdp_offload_params is true in the launcher's configuration; here the base stays on the GPUs.": (
        "启动器配置中的 fsdp_offload_params 为 true；而这里基础模型留在 GPU 上。"
    ),
    "Set it false, and start more processes if the base does not fit.": (
        "请将其设为 false；如果基础模型放不下，请启动更多进程。"
    ),
    "The tokenizer has no token that continues a program of the language, so its grammar cannot be followed.": (
        "该分词器没有能接续本语言程序的词元，因此无法遵循其语法。"
    ),
    "Leave --grammar out for this model.": "对此模型请不要使用 --grammar。",
    "Give the number of processes that train together: 1 or more.": "请给出一起训练的进程数：1 或更多。",
    "A run needs 1 process or more, and {processes} were asked for.": "运行至少需要 1 个进程，而要求的是 {processes} 个。",
    "Give the number of parts to invent: 1 or more.": "请给出要生成的零件数：1 或更多。",
    "Give the folder of .py programs or the .jsonl file to train on.": "请给出用于训练的 .py 程序文件夹或 .jsonl 文件。",
    "There is no folder or file {path} on the machine that runs the app.": "运行本应用的机器上没有文件夹或文件 {path}。",
    "None of the {n} programs of {source} is usable.": "{source} 的 {n} 个程序都不可用。",
    "There is no training data at {source}.": "{source} 处没有训练数据。",
    "Give {formats}.": "请给出{formats}。",
    "a folder of .py programs (sub-folders too, so CAD-Recode's batch_*/*.py; a cloud or mesh of the same name beside a "
    "program is used as its input), a .jsonl or .jsonl.gz file with a program under `code` in each line, a folder made by "
    "`python -m cadrecode build-dataset`, or invent:<family>[:count] for invented parts":
        " .py 程序文件夹（含子文件夹；程序旁同名的点云或网格用作输入）、每行 `code` 下有一个程序的 .jsonl 或 .jsonl.gz 文件、"
        "`python -m cadrecode build-dataset` 生成的文件夹，或随机生成零件的 invent:<零件族>[:数量]",
    "{source} holds no .py programs.": "{source} 不含 .py 程序。",
    "{source} is not a format that is known.": "{source} 不是已知的格式。",
    "{path} cannot be read: {error}": "无法读取 {path}：{error}",
    "Build it again.": "请重新生成。",
    "{folder}: {n} programs and points of shape {shape}.": "{folder}：{n} 个程序，点的形状为 {shape}。",
    "{source}: no family {family}.": "{source}：没有零件族 {family}。",
    "There are {names}.": "可用：{names}。",
    "{source}: expected invent:<family> or invent:<family>:<count>.": "{source}：应为 invent:<零件族> 或 invent:<零件族>:<数量>。",
    "{source}: expected invent:<family>:<count> with one of {names}.": "{source}：应为 invent:<零件族>:<数量>，零件族为 {names} 之一。",
    "Rounded to {x} of its longest side it is another part (IoU {iou}).": "按最长边的 {x} 取整后就是另一个零件（IoU {iou}）。",
    "its box and that of {name} differ by more than {x}": "其包围盒与 {name} 的相差超过 {x}",
    "not JSON": "不是 JSON",
    "has no program under `code`": "`code` 下没有程序",
    "the base's tokenizer cannot spell it: its tokens give another text": "基础模型的分词器无法表示它：标记还原出的文本不同",
    "{n} tokens; there is room for {most}": "{n} 个标记；最多容纳 {most} 个",
    "The base's tokenizer cannot spell a single program of {source}.": "基础模型的分词器无法表示 {source} 中的任何程序。",
    "Every program of {source} is longer than {n} tokens.": "{source} 的每个程序都超过 {n} 个标记。",
    "Raise max_seq_length, or use a base with longer sequences.": "请提高 max_seq_length，或使用支持更长序列的基础模型。",
    "There is one program only, so none can be held out.": "只有一个程序，无法留出验证集。",
    "Set val_data_path, or do_eval false.": "请设置 val_data_path，或将 do_eval 设为 false。",
    # before and while training
    "n_points is {n}; {base} reads {wanted} points.": "n_points 为 {n}；{base} 读取 {wanted} 个点。",
    "report_to is {name}, which is not installed: pip install {package} (or report_to none: the run folder has all figures, too).":
        "report_to 为 {name}，但没有安装：pip install {package}（或将 report_to 设为 none：运行文件夹里同样有全部数据）。",
    "device is {device}, and torch finds no CUDA here.": "device 为 {device}，但 torch 在此没有找到 CUDA。",
    "Set device to auto or cpu.": "请将 device 设为 auto 或 cpu。",
    "{name}: the labels do not give back the program.": "{name}：标签无法还原程序。",
    "The tokenizer loses text.": "分词器会丢失文本。",
    "Out of memory.": "内存不足。",
    "Set {changes}: {x} GB in place of {y}.": "请设置 {changes}：需 {x} GB，原为 {y} GB。",
    "{names} and {last}": "{names} 和 {last}",
    "Take a smaller base, {base} for one: {x} GB are free here.": "请用更小的基础模型，例如 {base}：这里可用 {x} GB。",
    "Set per_device_train_batch_size to {n} (it is {now}) and gradient_accumulation_steps to {m}, turn on "
    "gradient_checkpointing, use --use_qlora, or take a smaller base.":
        "请将 per_device_train_batch_size 设为 {n}（现为 {now}），gradient_accumulation_steps 设为 {m}，开启 "
        "gradient_checkpointing，使用 --use_qlora，或用更小的基础模型。",
    "The loss of the longest batch is {x} before the first step: the base is broken.":
        "第一步之前，最长一批的损失就是 {x}：基础模型已损坏。",
    "{folder} has {x} GB free; up to {y} GB will be written: {n} checkpoints of {size} GB{more}.":
        "{folder} 可用 {x} GB；将写入最多 {y} GB：{n} 个检查点，每个 {size} GB{more}。",
    "and a merged model": "，以及合并后的模型",
    "Make room, or set save_total_limit lower{more}.": "请腾出空间，或降低 save_total_limit{more}。",
    ", or merge_final_only true": "，或将 merge_final_only 设为 true",
    "The disk is full.": "磁盘已满。",
    "Make room; the last complete checkpoint is whole: --resume_from_checkpoint last.":
        "请腾出空间；最后一个完整的检查点可用：--resume_from_checkpoint last。",
    "The checkpoint of step {n} could not be written ({error}); {x} MB are free on that disk.":
        "无法写入第 {n} 步的检查点（{error}）；该磁盘可用 {x} MB。",
    "Make room, set save_total_limit lower, or merge_final_only true.":
        "请腾出空间、降低 save_total_limit，或将 merge_final_only 设为 true。",
    "{name} is whole: go on from it with --resume_from_checkpoint last.": "{name} 完整：用 --resume_from_checkpoint last 从它继续。",
    "There is no other.": "没有其他检查点。",
    "The saved adapter has loss {x} where the trained model had {y}: it is not what was trained.":
        "保存的适配器损失为 {x}，训练出的模型为 {y}：它不是训练的结果。",
    "The last checkpoint in {folder} may be sound.": "{folder} 中最后一个检查点可能完好。",
    "A weighted merge needs two adapters or more, each in a folder of its own.":
        "加权合并需要两个或更多适配器，各在自己的文件夹中。",
    "The adapters were trained on different bases ({names}): they cannot be added.":
        "这些适配器在不同的基础模型上训练（{names}），无法相加。",
    "{name} was trained with DoRA, which has no sum with others.": "{name} 用 DoRA 训练，无法与其他适配器相加。",
    "Merge it alone.": "请单独合并它。",
    "The loss at step {n} is no number: training diverged.": "第 {n} 步的损失不是数字：训练已发散。",
    "Prefer bf16 to fp16.": "请用 bf16 代替 fp16。",
    "The loss is {x} at step {n}, after {y}: training diverged.": "第 {n} 步的损失为 {x}，之前为 {y}：训练已发散。",
    "Set learning_rate to {x} (it is {now}) and warmup_steps to {n}; lora_r 32 with lora_alpha 64 also helps.":
        "请将 learning_rate 设为 {x}（现为 {now}），warmup_steps 设为 {n}；lora_r 32 配 lora_alpha 64 也有帮助。",
    "The last checkpoint is as it was.": "最后一个检查点保持原样。",
    # runs
    "Pick a run in the list first.": "请先在列表中选择一个运行。",
    "There is no run named {name} any more.": "名为 {name} 的运行已不存在。",
    "The process ended without saying why.": "进程结束而没有说明原因。",
    "The log may show it; out of memory is the usual reason.": "日志中可能有线索；通常是内存不足。",
    "Stopped before there was anything to save.": "在有内容可保存之前已停止。",
    "There is no run in this folder.": "此文件夹中没有运行。",
    "Killed on request.": "已按要求强制结束。",
    "{folder} is in use by process {pid}.": "{folder} 正被进程 {pid} 使用。",
    "Stop that run, or set another model_save_path.": "请停止该运行，或设置其他 model_save_path。",
    "{folder} holds no config.yaml: it is not a run folder.": "{folder} 不含 config.yaml：不是运行文件夹。",
    "{name} is not running (it is {state}).": "{name} 没有在运行（{state}）。",
    "{name} is {state}; only a run that has ended can be resumed.": "{name} {state}；只有已结束的运行可以继续。",
    "{name} has done all of its {n} steps.": "{name} 已完成全部 {n} 步。",
    "{checkpoint} cannot be resumed from: {why}.": "无法从 {checkpoint} 继续：{why}。",
    "Nothing to resume from in {folder}.": "{folder} 中没有可以继续的内容。",
    "No checkpoint was saved there.": "那里没有保存检查点。",
    "Nothing to resume from in {folder}. {why}": "{folder} 中没有可以继续的内容。{why}",
    "there is no folder {folder}": "没有文件夹 {folder}",
    "it was not written to its end": "没有写完",
    "{name} is missing": "缺少 {name}",
    "{name} has {n} bytes instead of {m}": "{name} 有 {n} 字节，应为 {m} 字节",
    "{folder} has all of max_steps ({n}) behind it.": "{folder} 已走完全部 max_steps（{n}）。",
    "Raise max_steps to go on.": "提高 max_steps 才能继续。",
    "{folder} was trained with {name} {then}, and the settings say {now}.": "{folder} 训练时 {name} 为 {then}，而设置为 {now}。",
    "{checkpoint} does not say what it was trained on ({file} is missing): start anew.":
        "{checkpoint} 没有说明训练数据（缺少 {file}）：请重新开始。",
    "{checkpoint} was trained on other weights than those that {base} holds now.": "{checkpoint} 训练时的权重与 {base} 现在的不同。",
    "{checkpoint} was trained on {n} programs of {source}; these are {m} of {other}, and not the same.":
        "{checkpoint} 用 {source} 的 {n} 个程序训练；现在是 {other} 的 {m} 个，并不相同。",
    "Start a new run for other data.": "换数据请开始新的运行。",
    "{folder} holds no run; it is left alone.": "{folder} 中没有运行，保持不动。",
    "{name} is still running.": "{name} 仍在运行。",
    "Stop it first.": "请先停止。",
    "{name} did not end within {x} s of being killed.": "{name} 在强制结束后 {x} 秒内没有结束。",
    # models
    "The embedded base model is not in this checkout (assets/base).": "此副本中没有自带的基础模型（assets/base）。",
    "Fetch it with the repository, or make it: python -m cadrecode pretrain --config configs/pretrain_base.yaml":
        "请随仓库获取，或自行训练：python -m cadrecode pretrain --config configs/pretrain_base.yaml",
    "{name} is a file; a model is a folder with config.json and .safetensors.":
        "{name} 是文件；模型应为含 config.json 和 .safetensors 的文件夹。",
    "There is no folder {name}, and it is not a name on the hub either (owner/model).":
        "没有文件夹 {name}，它也不是 Hub 上的名称（owner/model）。",
    "{name} is gated: accept its terms on huggingface.co and log in with `hf auth login`.":
        "{name} 受限：请在 huggingface.co 接受其条款，并用 `hf auth login` 登录。",
    "There is no model {name} on the hub, and no folder of that name here.": "Hub 上没有模型 {name}，这里也没有同名文件夹。",
    "{name} is neither a folder here nor in the Hugging Face cache, and the hub cannot be reached ({error}).":
        "{name} 既不是这里的文件夹，也不在 Hugging Face 缓存中，而且无法连接 Hub（{error}）。",
    "Connect once to download it, give the path of a folder that holds it, or use the base that ships ({name}).":
        "请联网下载一次、给出含有它的文件夹路径，或使用自带的基础模型（{name}）。",
    "{name} holds an adapter, not a base model: give it as the adapter (--lora_path).":
        "{name} 是适配器而不是基础模型：请作为适配器给出（--lora_path）。",
    "{name} has no config.json, so it is not a model folder.": "{name} 没有 config.json，不是模型文件夹。",
    "{name}: config.json cannot be read ({error}).": "{name}：无法读取 config.json（{error}）。",
    "{name} is a {kind} model; the point encoder fits {kinds}.": "{name} 是 {kind} 模型；点编码器适用于 {kinds}。",
    "{name} holds its weights in {file}, a pickle, which can run any code when it is opened.":
        "{name} 的权重在 {file}（pickle）中，打开时可能执行任意代码。",
    "Only safetensors are loaded: get or make a model.safetensors.": "只加载 safetensors：请获取或制作 model.safetensors。",
    "{name} has no model.safetensors.": "{name} 没有 model.safetensors。",
    "{name} lacks {file}, which its index names.": "{name} 缺少索引中列出的 {file}。",
    "{path} is damaged or cut short ({error}).": "{path} 已损坏或不完整（{error}）。",
    "{name}: the config names a point encoder, but the weights hold none.": "{name}：配置中有点编码器，权重中却没有。",
    "{name} has a point encoder of a kind that its config does not describe.": "{name} 的点编码器与配置不符。",
    "{name} brings no tokenizer; it is that of {home}.": "{name} 没有分词器；应为 {home} 的分词器。",
    "Copy tokenizer.json and tokenizer_config.json from there into the folder.":
        "请将那里的 tokenizer.json 和 tokenizer_config.json 复制到该文件夹。",
    "{name}: the tokenizer cannot be loaded ({error}).": "{name}：无法加载分词器（{error}）。",
    "{name}: the tokenizer lacks {words}, which frame a program.": "{name}：分词器缺少程序首尾所需的 {words}。",
    "{name}: the tokenizer knows {n} words and the model {m}; they do not belong together.":
        "{name}：分词器有 {n} 个词，模型有 {m} 个；二者不匹配。",
    "{name}: its files lack {n} of the model's tensors, {one} for one.": "{name}：文件缺少模型的 {n} 个张量，例如 {one}。",
    "{folder} lacks {n} tensors after saving, {one} for one.": "{folder} 保存后缺少 {n} 个张量，例如 {one}。",
    "{name} is not a dtype; use float32, bfloat16 or float16.": "{name} 不是 dtype；请用 float32、bfloat16 或 float16。",
    "quantization is {name}; it can be '4bit' or '8bit'.": "quantization 为 {name}；可以是 '4bit' 或 '8bit'。",
    "point_encoder.kind is {kind}; it can be 'fourier' or 'patch'.": "point_encoder.kind 为 {kind}；可以是 'fourier' 或 'patch'。",
    "point_encoder.inputs is {n}; it can be {a}, or {b} for a checkpoint with normals.":
        "point_encoder.inputs 为 {n}；可以是 {a}，带法向的检查点为 {b}。",
    "A patch encoder reads x, y, z alone: point_encoder.inputs must be 51.":
        "patch 编码器只读取 x、y、z：point_encoder.inputs 必须为 51。",
    "A fourier encoder makes one token a point, so n_tokens ({n}) must be n_points ({m}).":
        "fourier 编码器每个点一个标记，因此 n_tokens（{n}）必须等于 n_points（{m}）。",
    "point_encoder.{name} is {value}, which is too small.": "point_encoder.{name} 为 {value}，太小。",
    "point_encoder has no setting {name}; it has {names}.": "point_encoder 没有设置 {name}；有 {names}。",
    "The point cloud has {n} columns; the encoder needs {m} {columns}.": "点云有 {n} 列；编码器需要 {m} 列{columns}。",
    "(x, y, z, nx, ny, nz): this checkpoint was trained with normals": "（x、y、z、nx、ny、nz）：此检查点训练时使用了法向",
    "The cloud has {n} points; the encoder needs {m} or more.": "点云有 {n} 个点；编码器至少需要 {m} 个。",
    "A point cloud needs a point_mask (B, T) that says which slots it fills.": "点云需要 point_mask（B, T）说明占用哪些位置。",
    "The rows have {slots} point slots; each needs {n}.": "各行有 {slots} 个点位；每行需要 {n} 个。",
    # adapters
    "Pick an adapter in the list first.": "请先在列表中选择适配器。",
    "There is no adapter named {name} in {folder} any more.": "{folder} 中已没有名为 {name} 的适配器。",
    "There is no adapter named {name}.": "没有名为 {name} 的适配器。",
    "Loaded: {names}.": "已加载：{names}。",
    "Guests choose among the models that are on this machine.": "访客只能选择本机上的模型。",
    "Ask the owner for another.": "需要其他模型请联系所有者。",
    "{folder} is not an adapter: no readable {file} ({error}).": "{folder} 不是适配器：没有可读的 {file}（{error}）。",
    "{folder} has no {file}: the adapter is not complete.": "{folder} 没有 {file}：适配器不完整。",
    "{folder} is not an adapter folder: it has no {file}.": "{folder} 不是适配器文件夹：没有 {file}。",
    "{folder} has no {file}.": "{folder} 没有 {file}。",
    "{folder} has no {file} {reason}.": "{folder} 没有 {file}{reason}。",
    "(adapter_model.bin is a pickle, which is not opened)": "（adapter_model.bin 是 pickle，不会打开）",
    "{path} cannot be read ({error}).": "无法读取 {path}（{error}）。",
    "{path} holds no LoRA tensors.": "{path} 不含 LoRA 张量。",
    "The run that wrote it saved an empty adapter.": "写出它的运行保存了空的适配器。",
    "{path} does not hold the point encoder, without which the adapter cannot be used.": "{path} 不含点编码器，缺少它就无法使用适配器。",
    "{name} cannot name an adapter: use letters, digits, - and _ (and not 'base').":
        "{name} 不能作为适配器名称：请用字母、数字、- 和 _（不能是 base）。",
    "{folder} does not fit {own}: it was trained on {base} ({why}).": "{folder} 不适用于 {own}：它是在 {base} 上训练的（{why}）。",
    "another model": "其他模型",
    "it is of the kind {kind}, and only LORA is known here": "其类型为 {kind}，这里只支持 LORA",
    "the model has no place for {name}": "模型中没有 {name} 的位置",
    "{name} is for a size of {a}, the model has {b}": "{name} 的大小为 {a}，模型为 {b}",
    "it lacks {name}": "缺少 {name}",
    "{folder}: {a} and {b} do not belong together ({why}).": "{folder}：{a} 与 {b} 不匹配（{why}）。",
    "{folder} was not loaded whole: {n} tensors differ, {one} for one.": "{folder} 没有完整加载：{n} 个张量不同，例如 {one}。",
    "No adapter {name} is loaded; there are {names}.": "没有加载适配器 {name}；已有 {names}。",
    "LoRA cannot target {name}: the model's linear layers are {names}.": "LoRA 不能用于 {name}：模型的线性层为 {names}。",
    "The adapter holds {n} LoRA tensors of {m}: nothing was saved.": "适配器只有 {m} 个 LoRA 张量中的 {n} 个：没有保存。",
    "The adapter does not hold the point encoder, without which it is worthless: not saved.":
        "适配器不含点编码器，缺少它就没有用：没有保存。",
    "The adapter holds NaN or infinite numbers, in {name} for one: not saved.": "适配器含 NaN 或无穷，例如在 {name} 中：没有保存。",
    "{folder} does not hold the adapter after saving ({n} of {m} differ).": "{folder} 保存后不是该适配器（{m} 个中有 {n} 个不同）。",
    "The adapter in {path} was trained on {base}; {other} is loaded.": "{path} 的适配器是在 {base} 上训练的；现在加载的是 {other}。",
    "Load {base} first: an adapter fits its own base alone.": "请先加载 {base}：适配器只适用于自己的基础模型。",
    "The name {name} is taken by the adapter in {folder}.": "名称 {name} 已被 {folder} 中的适配器占用。",
    "Choose another name.": "请选择其他名称。",
    "The adapter in {path} was trained on {base}, but --base_model says {other}.":
        "{path} 的适配器是在 {base} 上训练的，但 --base_model 为 {other}。",
    "Use --base_model {base}.": "请用 --base_model {base}。",
    # merging, handing on
    "{output} holds something that is no model.": "{output} 中的内容不是模型。",
    "Choose another output_path.": "请选择其他 output_path。",
    "The merged model's tensors are not the base's: {n} differ, {one} for one.":
        "合并后模型的张量与基础模型不符：{n} 个不同，例如 {one}。",
    "The merged model does not hold the sum of base and adapter in {name}.":
        "合并后的模型在 {name} 中不是基础模型与适配器之和。",
    "The merged model could not be verified ({reason}; exit {code}).": "无法验证合并后的模型（{reason}；退出码 {code}）。",
    "{base} and its adapter have no finite sum in {name}.": "{base} 与其适配器在 {name} 中的和不是有限值。",
    "{base} holds {name} as {kind} {shape}, the model needs {wanted} in full precision: nothing can be merged into a "
    "quantised base.":
        "{base} 中的 {name} 为 {kind} {shape}，模型需要全精度的 {wanted}：无法合并到量化的基础模型。",
    "The merged model does not answer as base and adapter do: logits differ by {x} (the largest is {y}).":
        "合并后模型的输出与基础模型加适配器不同：logits 相差 {x}（最大值 {y}）。",
    "Nothing is written.": "没有写入任何内容。",
    "{name} has not been merged yet: press Merge first.": "{name} 尚未合并：请先点击“合并”。",
    "{name} unpacks to {size}; adapters of up to {most} GB are taken.": "{name} 解压后为 {size}；只接受不超过 {most} GB 的适配器。",
    "{name} holds {path}, a path that leads out of its folder: it is not unpacked.":
        "{name} 含有通往文件夹之外的路径 {path}：没有解压。",
    "{name} holds {path}, a link to another place: it is not unpacked.": "{name} 含有指向别处的链接 {path}：没有解压。",
    "{name} holds {file}, which can run code when it is read.": "{name} 含有 {file}，读取时可能执行代码。",
    "Save it as safetensors.": "请保存为 safetensors。",
    "{name} holds {file}; an adapter is made of {suffixes} files alone.": "{name} 含有 {file}；适配器只由 {suffixes} 文件组成。",
    "{name} holds {file} twice.": "{name} 含有两个 {file}。",
    "Pack one adapter alone.": "请只打包一个适配器。",
    "{name} holds no {file}, so it is no adapter.": "{name} 不含 {file}，不是适配器。",
    "Pack the files of its folder.": "请打包其文件夹中的文件。",
    "{name}: {file} is not JSON ({error}).": "{name}：{file} 不是 JSON（{error}）。",
    "{name}: {file} describes no LoRA adapter.": "{name}：{file} 描述的不是 LoRA 适配器。",
    "{name}: {file} is not a safetensors file.": "{name}：{file} 不是 safetensors 文件。",
    "{name}: {file} is not a safetensors file ({error}).": "{name}：{file} 不是 safetensors 文件（{error}）。",
    "{name}: {file} is cut short, or lists what it does not hold.": "{name}：{file} 不完整，或列出了并不包含的内容。",
    "{name} holds no LoRA weights with their point encoder: without it an adapter is worthless.":
        "{name} 不含 LoRA 权重及其点编码器：缺少它们，适配器没有用。",
    # evaluation
    "Choose at least one model to evaluate.": "请至少选择一个要评估的模型。",
    "Give a folder of meshes, a STEP file, or an .npz of <id>_v and <id>_f arrays.":
        "请给出网格文件夹、STEP 文件，或含 <id>_v 和 <id>_f 数组的 .npz。",
    "Drop meshes ({suffixes}), a .zip of them, or an .npz.": "请拖入网格（{suffixes}）、它们的 .zip，或 .npz。",
    "{name} holds no meshes.": "{name} 不含网格。",
    "Readable: {suffixes}.": "可读取：{suffixes}。",
    "{name} is no mesh.": "{name} 不是网格。",
    "Readable: {suffixes}, a .zip of them, or one .npz.": "可读取：{suffixes}、它们的 .zip，或一个 .npz。",
    "{source} is no folder, mesh file or .npz.": "{source} 不是文件夹、网格文件或 .npz。",
    "Give a folder of meshes, an .npz of <id>_v and <id>_f arrays, or invent:<family>:<count>.":
        "请给出网格文件夹、含 <id>_v 和 <id>_f 数组的 .npz，或 invent:<零件族>:<数量>。",
    "{name} holds no arrays named <id>_v.": "{name} 不含名为 <id>_v 的数组。",
    "Found: {names} ...": "找到：{names} ……",
    "{name}_v has no {_name}_f beside it": "{name}_v 旁边没有 {name}_f",
    "Stopped before the first shapes were scored.": "在首批零件评分之前已停止。",
    "No target of {targets} could be scored.": "{targets} 中没有可评分的零件。",
    "No target of {targets} could be scored. {why}": "{targets} 中没有可评分的零件。{why}",
    # a login
    "--guest is a login beside the owner's: add --auth user:password": "--guest 是所有者之外的登录：请加上 --auth user:password",
    "--auth and --guest both say {name}: they need two names": "--auth 和 --guest 都是 {name}：需要两个名称",
    "{option} needs a name and a password: {_option} user:password": "{option} 需要名称和密码：{option} user:password",
}  # fmt: skip

SAID_OF_OTHERS = {
    # Python, of a text that is no program
    "invalid syntax": "语法错误",
    "{what} was never closed": "{what} 没有闭合",
    "unmatched {what}": "多余的 {what}",
    "closing parenthesis {a} does not match opening parenthesis {b}": "右括号 {a} 与左括号 {b} 不匹配",
    "unterminated string literal (detected at line {n})": "字符串没有结束（第 {n} 行）",
    "unexpected indent": "多余的缩进",
    "unexpected EOF while parsing": "程序过早结束",
    "invalid syntax. Perhaps you forgot a comma?": "语法错误，是否漏了逗号？",
    # pydantic, of a setting
    "{name} should be {what}, not {value}.": "{name} 应{what}，而不是 {value}。",
    "auto, cpu, cuda, cuda:<number> or mps": "为 auto、cpu、cuda、cuda:<编号> 或 mps",
    "a valid integer, unable to parse string as an integer": "为整数",
    "a valid integer, got a number with a fractional part": "为整数",
    "a valid integer": "为整数",
    "a valid number, unable to parse string as a number": "为数字",
    "a valid number": "为数字",
    "a finite number": "为有限数",
    "a valid boolean, unable to interpret input": "为 true 或 false",
    "a valid boolean": "为 true 或 false",
    "a valid string": "为文本",
    "greater than {x}": "大于 {x}",
    "greater than or equal to {x}": "不小于 {x}",
    "less than {x}": "小于 {x}",
    "less than or equal to {x}": "不大于 {x}",
    "{a} or {b}": "为 {a} 或 {b}",
}
