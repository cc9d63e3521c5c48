//! Text in six languages and four scripts.

use super::Random;

/// Sentences of all languages in paragraphs of one, of about this length in bytes.
pub(crate) fn multilingual(length: usize, seed: u64) -> String {
    let mut random = Random(seed);
    let mut text = String::new();
    while text.len() < length {
        let (sentences, space) = LANGUAGES[random.below(LANGUAGES.len())];
        for _ in 0..3 + random.below(4) {
            let number = (random.below(900) + 2).to_string();
            text.push_str(&sentences[random.below(sentences.len())].replace("{n}", &number));
            text.push_str(space);
        }
        text.push_str("\n\n");
    }
    text
}

/// Sentences, and what stands between them.
const LANGUAGES: [([&str; 8], &str); 6] =
    [(GERMAN, " "), (FRENCH, " "), (RUSSIAN, " "), (CHINESE, ""), (JAPANESE, ""), (ARABIC, " ")];

const GERMAN: [&str; 8] = [
    "Die Übersicht wurde im Frühjahr überarbeitet und enthält jetzt {n} Einträge.",
    "Könnten Sie mir bitte erklären, warum der zweite Versuch länger gedauert hat?",
    "Größere Änderungen besprechen wir am Dienstag, kleinere erledigt jeder für sich.",
    "Das Verfahren läuft auf zwölf Rechnern und braucht dafür ungefähr {n} Sekunden.",
    "Außerdem fehlt in der Anleitung noch ein Abschnitt über häufige Fehler.",
    "Früher war alles einfacher, sagt man; gemessen hat es allerdings niemand.",
    "Wir haben {n} Antworten verglichen und keinen nennenswerten Unterschied gefunden.",
    "Zum Schluss fasst das Modell den Text in höchstens drei Sätzen zusammen.",
];

const FRENCH: [&str; 8] = [
    "Le rapport a été relu hier et compte désormais {n} pages.",
    "Pourriez-vous m'expliquer pourquoi la deuxième étape a échoué ?",
    "L'équipe préfère les réponses brèves, à condition qu'elles soient exactes.",
    "Après {n} essais, le résultat n'a presque pas changé.",
    "Où se trouve la bibliothèque la plus proche de la forêt ?",
    "Les mesures ont été faites l'été dernier, pendant une semaine très pluvieuse.",
    "Il suffit d'ouvrir la fenêtre pour que le bruit devienne gênant.",
    "Voilà une idée simple que personne n'avait encore essayée.",
];

const RUSSIAN: [&str; 8] = [
    "Отчёт был обновлён весной, и теперь в нём {n} страниц.",
    "Объясните, пожалуйста, почему второй запуск занял больше времени.",
    "Команда предпочитает короткие ответы, если они верны.",
    "После {n} попыток результат почти не изменился.",
    "Где находится ближайшая библиотека и до которого часа она открыта?",
    "Измерения проводились прошлым летом в очень дождливую неделю.",
    "Раньше всё было проще, но никто этого не проверял.",
    "В конце модель кратко пересказывает текст в трёх предложениях.",
];

const CHINESE: [&str; 8] = [
    "这份报告在春天更新过，现在一共有{n}页。",
    "请解释一下为什么第二次运行花了更长的时间。",
    "只要答案正确，我们更喜欢简短的回答。",
    "经过{n}次尝试，结果几乎没有变化。",
    "离森林最近的图书馆在哪里？几点关门？",
    "测量是在去年夏天进行的，那一周一直下雨。",
    "以前一切都更简单，但是没有人真正测量过。",
    "最后，模型用三句话概括了整篇文章的内容。",
];

const JAPANESE: [&str; 8] = [
    "この報告書は春に更新され、現在は{n}ページあります。",
    "二回目の実行に時間がかかった理由を説明してください。",
    "正確であれば、短い回答のほうが好まれます。",
    "{n}回試しましたが、結果はほとんど変わりませんでした。",
    "森に一番近い図書館はどこですか。何時まで開いていますか。",
    "測定は去年の夏、雨の多い一週間に行われました。",
    "昔はもっと簡単だったと言われますが、誰も測っていません。",
    "最後に、モデルが文章を三つの文に要約します。",
];

const ARABIC: [&str; 8] = [
    "تم تحديث التقرير في الربيع ويضم الآن {n} صفحة.",
    "هل يمكنك أن تشرح لماذا استغرقت المحاولة الثانية وقتًا أطول؟",
    "يفضل الفريق الإجابات القصيرة بشرط أن تكون صحيحة.",
    "بعد {n} محاولة لم تتغير النتيجة تقريبًا.",
    "أين تقع أقرب مكتبة إلى الغابة ومتى تغلق أبوابها؟",
    "أجريت القياسات في الصيف الماضي خلال أسبوع ممطر جدًا.",
    "كان كل شيء أبسط في الماضي، لكن أحدًا لم يقس ذلك.",
    "في النهاية يلخص النموذج النص في ثلاث جمل.",
];
